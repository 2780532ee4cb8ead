# shellcheck shell=sh
# state: what the tests of fsl-run share: inputs, and what must be true of the
# state file whatever died.  Only functions: it stands before tap.sh in a test,
# which changes the directory.

# requests N [FIRST]: N lines; that of r17 has the path /v1/r17, by which the
# log of a server knows it.
requests() {
	awk -v n="$1" -v first="${2:-1}" 'BEGIN {
		for (i = first; i < first + n; i++)
			printf "{\"custom_id\":\"r%d\",\"url\":\"/v1/r%d\",\"body\":{\"n\":%d}}\n", i, i, i
	}'
}

# ids FILE...: the custom ids of lines of input, output or errors, in order.
ids() { jq -r .custom_id "$@"; }

# sent LOG: the names of the requests in a server's log, as they arrived.
sent() { jq -r '.path | ltrimstr("/v1/")' "$1"; }

# eventually COMMAND...: wait_for within the limit of a test.
eventually() { wait_for 20 "$@"; }

# stats_are SERVER FILTER VALUE, lines_are FILE N: for eventually.
stats_are() { [ "$(stats "$1" "$2")" = "$3" ]; }
lines_are() { [ "$(wc -l <"$1")" -eq "$2" ]; }

# sound RULE: a test of the state file, when nobody works on it: every batch
# has a request per line of its input, its counters and those of its queues are
# the rows', the attempts are numbered without a gap, whoever has ended has its
# answer, nothing is in flight, the batch is terminal as soon as nothing is left.
sound() { is "$(sound_wrong; sound_quiet)" "" "state: $1"; }

# sound_after_kill RULE: the same, but what a killed worker had in flight still is.
sound_after_kill() { is "$(sound_wrong)" "" "state: $1"; }

sound_quiet() {
	sql "SELECT 'request ' || (request & 4294967295) || ' is in flight' FROM flights;
	     SELECT 'worker ' || id || ' has not left' FROM workers WHERE ended_ms IS NULL;
	     SELECT 'file ' || id || ' is half' FROM files WHERE loader IS NOT NULL AND automatic = 0"
}

sound_wrong() {
	sql "
	CREATE TEMP VIEW r AS SELECT id, id >> 32 AS batch, id & 4294967295 AS line, queue,
		state, due, tries, counted, round, answer FROM requests
		WHERE id >> 32 IN (SELECT id FROM batches WHERE status <> 0);
	CREATE TEMP VIEW counts AS SELECT batch, count(*) AS total, sum(state = 0) AS pending,
		sum(state = 0 AND due > 0) AS retrying, sum(state = 1) AS processing,
		sum(state = 2) AS completed, sum(state = 3) AS failed,
		sum(state = 4) AS cancelled, sum(state = 5) AS expired FROM r GROUP BY batch;
	SELECT 'batch ' || b.id || ' has ' || ifnull(c.total, 0) || ' requests of ' || f.requests
		FROM batches b JOIN files f ON f.id = b.file LEFT JOIN counts c ON c.batch = b.id
		WHERE b.status <> 0 AND (f.requests IS NOT c.total OR b.total IS NOT c.total);
	SELECT 'batch ' || b.id || ' counts ' || json_array(b.pending, b.retrying, b.processing,
		b.completed, b.failed, b.cancelled, b.expired) || ', its rows are ' ||
		json_array(c.pending, c.retrying, c.processing, c.completed, c.failed, c.cancelled,
		c.expired) FROM batches b JOIN counts c ON c.batch = b.id
		WHERE (b.pending, b.retrying, b.processing, b.completed, b.failed, b.cancelled,
		b.expired) IS NOT (c.pending, c.retrying, c.processing, c.completed, c.failed,
		c.cancelled, c.expired);
	SELECT 'queue ' || q.id || ' counts ' || json_array(q.pending, q.retrying) FROM queues q
		JOIN (SELECT queue, sum(state = 0) AS pending, sum(state = 0 AND due > 0) AS retrying
		FROM r GROUP BY queue) c ON c.queue = q.id
		WHERE (q.pending, q.retrying) IS NOT (c.pending, c.retrying);
	SELECT 'batch ' || b.id || ' has status ' || status || ' with ' || (pending + processing)
		|| ' left' FROM batches b WHERE status <> 0 AND
		((pending + processing = 0) <> (status IN (2, 4, 6)) OR
		(status = 2) <> (completed_ms IS NOT NULL) OR
		(status = 4) <> (expired_ms IS NOT NULL) OR
		(status = 6) <> (cancelled_ms IS NOT NULL) OR
		(status IN (2, 4, 6)) <> (finalizing_ms IS NOT NULL) OR
		(status = 2 AND expired > 0) OR (status = 4 AND expired = 0));
	SELECT 'batch ' || id || ' counts ' || attempts || ' attempts of ' || n FROM batches b
		JOIN (SELECT request >> 32 AS batch, count(*) AS n FROM attempts GROUP BY 1) a
		ON a.batch = b.id WHERE b.attempts <> a.n;
	SELECT 'batch ' || id || ' counts ' || counted || ', its usage comes to ' || used FROM
		(SELECT id, json_array(completed + failed, attempts, input_tokens, cached_tokens,
		output_tokens, reasoning_tokens) AS counted, (SELECT json_array(ifnull(sum(requests), 0),
		ifnull(sum(attempts), 0), ifnull(sum(input_tokens), 0), ifnull(sum(cached_tokens), 0),
		ifnull(sum(output_tokens), 0), ifnull(sum(reasoning_tokens), 0)) FROM usage u
		WHERE u.batch = b.id) AS used FROM batches b) WHERE counted <> used;
	SELECT 'line ' || line || ' has ' || ifnull(n, 0) || ' attempts, the last ' ||
		ifnull(last, 0) || ', of ' || tries FROM r LEFT JOIN (SELECT request, count(*) AS n,
		max(n) AS last FROM (SELECT request, n FROM attempts UNION SELECT request, n FROM
		flights UNION SELECT request, n FROM races) GROUP BY request) a ON a.request = r.id
		WHERE (ifnull(n, 0), ifnull(last, 0)) IS NOT (tries, tries);
	SELECT 'line ' || line || ' has ' || counted || ' counted attempts' FROM r
		JOIN batches b ON b.id = r.batch
		WHERE counted > ifnull(json_extract(b.options, '\$.retries'), 5) + 1;
	SELECT 'line ' || line || ' is in state ' || state || ' with ' || n || ' flights'
		FROM (SELECT line, state, (SELECT count(*) FROM flights f WHERE f.request = r.id)
		AS n FROM r) WHERE n <> (state = 1);
	SELECT 'a flight of line ' || (request & 4294967295) || ' is nobody''s' FROM flights f
		WHERE NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = f.request) OR
		NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = f.worker AND ended_ms IS NULL);
	SELECT 'a reason of worker ' || worker || ' is nobody''s' FROM blocks k WHERE NOT EXISTS
		(SELECT 1 FROM workers w WHERE w.id = k.worker AND ended_ms IS NULL);
	SELECT 'the race of line ' || (c.request & 4294967295) || ' has no flight' FROM races c
		LEFT JOIN flights f USING (request, worker) WHERE f.n IS NULL;
	SELECT 'line ' || (c.request & 4294967295) || ' is recalled and not in flight' FROM recalls c
		WHERE NOT EXISTS (SELECT 1 FROM flights f JOIN batches b ON b.id = f.request >> 32
		WHERE f.request = c.request AND b.recalled = 1);
	SELECT 'worker ' || worker || ' has ' || ifnull(n, 0) || ' in flight of bucket ' || bucket ||
		', its share says ' || ifnull(in_flight, 0) FROM (SELECT bucket, worker, count(*) AS n
		FROM (SELECT bucket, worker FROM flights UNION ALL SELECT bucket, worker FROM races)
		GROUP BY bucket, worker) f FULL JOIN shares s USING (bucket, worker)
		WHERE ifnull(n, 0) <> ifnull(in_flight, 0);
	SELECT 'line ' || r.line || ' is in state ' || state || ' with answer ' ||
		ifnull(answer, 'none') FROM r LEFT JOIN answers a ON a.id = (r.batch << 32) | r.answer
		WHERE (a.line IS r.line) <> (state IN (2, 3)) OR
		(state = 2 AND (a.code IS NOT NULL OR a.status / 100 <> 2));
	SELECT 'line ' || line || ' was answered ' || n || ' times' FROM r JOIN (SELECT id >> 32 AS b,
		line AS l, count(*) AS n FROM answers GROUP BY 1, 2) ON b = batch AND l = line
		WHERE n > round + (state IN (2, 3));
	SELECT 'integrity: ' || integrity_check FROM pragma_integrity_check
		WHERE integrity_check <> 'ok';
	SELECT 'foreign key: ' || \"table\" || ' ' || rowid FROM pragma_foreign_key_check" 2>&1
}
