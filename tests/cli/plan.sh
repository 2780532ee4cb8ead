# shellcheck shell=sh
# plan: what the tests of fletcher-plan share.  Only functions: it stands before
# tap.sh in a test, which changes the directory.

# plan DATASET "a b!" "a>b": the JSON of a plan in its short form; b! is not eager.
plan() {
	jq -nc --arg dataset "$1" --arg products "$2" --arg edges "${3-}" '{dataset: {name: $dataset},
		data_products: [$products | splits(" +") | select(. != "") | {name: rtrimstr("!"),
			compute: "cams", version: "1", eager: (endswith("!") | not)}],
		dependencies: [$edges | splits(" +") | select(. != "") | split(">") |
			{parent: .[0], child: .[1]}]}'
}

# publish DATASET "a b!" "a>b" [option...]
publish() {
	plan "$1" "$2" "${3-}" >published.json
	shift 3
	fletcher-plan publish "$@" published.json
}

# states DATASET: "a=queued b=waiting", as show tells, by name.
states() {
	fletcher-plan show --columns product,state "$1" | sort | tr '\t\n' '= ' | sed 's/ $//'
}

tabs() { printf '%s\n' "$1" | tr ' ' '\t'; }

# sound RULE: a test of the state file: counters, what waits for what, and the
# history are what the rows say.
sound() {
	is "$(sql "
	SELECT 'product ' || p.name || ' waits for ' || parents_left FROM data_products p
		WHERE parents_left <> (SELECT count(*) FROM dependencies d JOIN data_products q
		ON q.id = d.parent WHERE d.child = p.id AND q.state NOT IN (3, 5));
	SELECT 'dataset ' || d.id || ' counts wrong' FROM datasets d WHERE (waiting, queued, running,
		success, failed, disabled, ahead) IS NOT (SELECT ifnull(sum(state = 0), 0),
		ifnull(sum(state = 1), 0), ifnull(sum(state = 2), 0), ifnull(sum(state = 3), 0),
		ifnull(sum(state = 4), 0), ifnull(sum(state = 5), 0),
		ifnull(sum(state BETWEEN 1 AND 4 AND parents_left > 0), 0)
		FROM data_products p WHERE p.dataset = d.id);
	SELECT 'product ' || p.name || ' could start' FROM data_products p JOIN datasets d
		ON d.id = p.dataset WHERE p.state = 0 AND eager AND parents_left = 0 AND NOT paused;
	SELECT 'product ' || p.name || ' is not where its history ends' FROM data_products p
		WHERE state IS NOT (SELECT new FROM events e WHERE e.product = p.id ORDER BY id DESC LIMIT 1);
	SELECT 'dataset ' || d.id || ' has no texts' FROM datasets d
		WHERE id NOT IN (SELECT id FROM dataset_texts);
	SELECT 'integrity: ' || integrity_check FROM pragma_integrity_check
		WHERE integrity_check <> 'ok';
	SELECT 'foreign key: ' || \"table\" FROM pragma_foreign_key_check" 2>&1)" "" "state: $1"
}
