-- The state file of fsl: everything the programs know, in one SQLite database.
--
-- Read it with any SQLite shell (the views at the end are for that); write it
-- only through the programs: counters, locks and the wake-up of running
-- workers depend on it.
--
-- Times are milliseconds since 1970 (wall clock) unless a name says otherwise.
-- Composite keys: requests, templates, lines and answers have no foreign key
-- column; their key is (owner's rowid << 32) | number, so that all rows of one
-- file or batch are a range of keys and need no index to be found together.

PRAGMA application_id = 0x46534c31; -- "FSL1"
PRAGMA user_version = 1;

-- Models: the keys that limits speak of, each text once.
CREATE TABLE models (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE                 -- "gpt-4o-mini", a host, or "-"
) STRICT;

-- Files: what was imported.  While an import runs, loader holds the byte of
-- the side file that its process has locked; readers do not see such a file,
-- and the next writer sweeps it when the byte is free again.
CREATE TABLE files (
  id         INTEGER PRIMARY KEY CHECK (id < 2147483648),
  uuid       BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16), -- "file-<hex>"
  name       TEXT UNIQUE,                   -- --name
  filename   TEXT NOT NULL,                 -- last component of the path
  bytes      INTEGER NOT NULL DEFAULT 0,    -- of the input as it was read
  requests   INTEGER NOT NULL DEFAULT 0,    -- lines that are requests
  hash       BLOB CHECK (length(hash) = 16),-- XXH3-128 of the input's bytes
  created_ms INTEGER NOT NULL,
  user       TEXT NOT NULL,                 -- who imported it (OS user)
  automatic  INTEGER NOT NULL DEFAULT 0,    -- not 0: imported by create or -i, goes with its last
                                            -- batch; the importer's byte keeps it before its first
  deleted    INTEGER NOT NULL DEFAULT 0,    -- 1: hidden, kept for the batches that show it
  loader     INTEGER                        -- byte of the side file; NULL: whole
) STRICT;
CREATE INDEX files_hash ON files (hash);
CREATE INDEX files_loader ON files (loader) WHERE loader IS NOT NULL;

-- How many requests a file has for each model.
CREATE TABLE file_models (
  file     INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
  model    INTEGER NOT NULL REFERENCES models (id),
  requests INTEGER NOT NULL,
  PRIMARY KEY (file, model)
) STRICT, WITHOUT ROWID;

-- Templates: one request of a file, what lists and searches need of it.
CREATE TABLE templates (
  id        INTEGER PRIMARY KEY,            -- file << 32 | physical line
  custom_id TEXT NOT NULL,
  model     INTEGER NOT NULL,               -- models.id
  hash      BLOB NOT NULL                   -- XXH3-128 of method, url, headers, body
) STRICT;

-- Lines: the bytes of each template's line, without its LF.
CREATE TABLE lines (
  id  INTEGER PRIMARY KEY,                  -- as templates.id
  raw BLOB NOT NULL
) STRICT;

-- Batches: one sending of one file.  The counters are kept in the transaction
-- that moves a request, so that reading a batch never counts rows.
CREATE TABLE batches (
  id           INTEGER PRIMARY KEY CHECK (id < 2147483648),
  uuid         BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16), -- "batch_<hex>"
  name         TEXT UNIQUE,
  file         INTEGER NOT NULL REFERENCES files (id),
  identity     BLOB NOT NULL,               -- XXH3-128 of input, base URL, endpoint, headers, key reference
  oneshot      INTEGER NOT NULL DEFAULT 0,  -- 1: made by fsl-run -i; newest of its identity is resumed
  status       INTEGER NOT NULL             -- 0 validating 1 in_progress 2 completed 3 failed
               CHECK (status BETWEEN 0 AND 6), -- 4 expired 5 cancelling 6 cancelled
  loader       INTEGER,                     -- as files.loader, while validating
  user         TEXT NOT NULL,               -- who made it; fsl-run takes its own user's
  base_url     TEXT NOT NULL,
  endpoint     TEXT,                        -- the url of all lines, NULL if they differ
  model        TEXT,                        -- the model of all lines, NULL if they differ
  key_ref      TEXT NOT NULL,               -- "env:NAME", "file:PATH", "cred:NAME", "none"; never a key
  key_header   TEXT,                        -- "api-key: {}"; NULL: "Authorization: Bearer {}"
  headers      TEXT,                        -- JSON array of "Name: value"
  metadata     TEXT,                        -- JSON object of --metadata
  priority     INTEGER NOT NULL DEFAULT 0,  -- higher goes first
  options      TEXT NOT NULL DEFAULT '{}',  -- JSON object: retries, delays, timeouts this batch sets itself
  window_ms    INTEGER,                     -- completion window asked for
  expires_ms   INTEGER,                     -- nothing of it is sent later
  abort_ms     INTEGER,                     -- `cancel --now` was told then: what flies is cut off
  recalled     INTEGER NOT NULL DEFAULT 0,  -- 1: there may be rows of it in recalls
  created_ms   INTEGER NOT NULL,
  in_progress_ms INTEGER, finalizing_ms INTEGER, completed_ms INTEGER, failed_ms INTEGER,
  expired_ms   INTEGER, cancelling_ms INTEGER, cancelled_ms INTEGER,
  total        INTEGER NOT NULL DEFAULT 0,
  pending      INTEGER NOT NULL DEFAULT 0,  -- state 0
  retrying     INTEGER NOT NULL DEFAULT 0,  -- those of them that were tried before
  processing   INTEGER NOT NULL DEFAULT 0,  -- state 1
  completed    INTEGER NOT NULL DEFAULT 0,  -- state 2
  failed       INTEGER NOT NULL DEFAULT 0,  -- state 3
  cancelled    INTEGER NOT NULL DEFAULT 0,  -- state 4
  expired      INTEGER NOT NULL DEFAULT 0,  -- state 5
  answers      INTEGER NOT NULL DEFAULT 0,  -- number given to the newest answer; never goes back
  attempts     INTEGER NOT NULL DEFAULT 0,  -- recorded and ended
  input_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  CHECK (total = pending + processing + completed + failed + cancelled + expired),
  CHECK (retrying BETWEEN 0 AND pending)
) STRICT;
CREATE INDEX batches_identity ON batches (identity) WHERE oneshot = 1;
CREATE INDEX batches_file ON batches (file);
CREATE INDEX batches_open ON batches (status) WHERE status IN (1, 5);
CREATE INDEX batches_loader ON batches (loader) WHERE loader IS NOT NULL;
CREATE INDEX batches_expiry ON batches (expires_ms) WHERE status = 1 AND expires_ms > 0;

-- Usage: what the attempts of a batch came to, by the model that was asked and
-- the hour in which they ended; kept in the transaction that settles, so that
-- reports read no answer.  Its sums are the counters of the batch.
CREATE TABLE usage (
  batch    INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  model    INTEGER NOT NULL REFERENCES models (id),
  hour     INTEGER NOT NULL,                -- since 1970
  requests INTEGER NOT NULL DEFAULT 0 CHECK (requests >= 0), -- that ended as completed or failed,
                                            -- by their own model; one that is reopened is not counted
  attempts INTEGER NOT NULL DEFAULT 0,      -- that ended
  input_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (batch, model, hour)
) STRICT, WITHOUT ROWID;

-- Queues: the requests of one batch for one model, the unit of claiming.
CREATE TABLE queues (
  id       INTEGER PRIMARY KEY,
  batch    INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  model    INTEGER NOT NULL REFERENCES models (id),
  bucket   INTEGER,                         -- buckets.id; NULL: no worker has met it yet
  pending  INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
  retrying INTEGER NOT NULL DEFAULT 0 CHECK (retrying BETWEEN 0 AND pending),
  UNIQUE (batch, model)
) STRICT;
CREATE INDEX queues_active ON queues (batch) WHERE pending > 0;

-- Requests: one line of a batch and where it stands.  Kept narrow: a million
-- of them are claimed, settled and cancelled.
--
--   0 pending --start--> 1 processing --> 2 completed | 3 failed | 4 cancelled | 5 expired
--   1 processing --> 0 pending         will be tried again, or its worker died
--   3 | 4 | 5 --> 0 pending            only by `fsl-batch retry`
CREATE TABLE requests (
  id        INTEGER PRIMARY KEY,            -- batch << 32 | physical line
  queue     INTEGER NOT NULL,               -- queues.id
  state     INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
  due       INTEGER NOT NULL DEFAULT 0,     -- 0: at once; else not before (a retry)
  tries     INTEGER NOT NULL DEFAULT 0,     -- attempts ever started: the number of the last one
  counted   INTEGER NOT NULL DEFAULT 0,     -- those that count against --retries, since the last `retry`
  throttled INTEGER NOT NULL DEFAULT 0,     -- answers 429 and 529, since the last `retry`
  round     INTEGER NOT NULL DEFAULT 0,     -- how often `retry` reopened it
  answer    INTEGER                         -- number of its answer; NULL: none
) STRICT;
CREATE INDEX requests_pending ON requests (queue, due) WHERE state = 0;

-- Flights: the attempt of each request in state 1, on disk before a byte of it
-- is sent.  Whoever deletes this row settles the attempt; who finds it gone
-- was too late.
CREATE TABLE flights (
  request    INTEGER PRIMARY KEY,
  worker     INTEGER NOT NULL,              -- workers.id
  n          INTEGER NOT NULL,              -- number of the attempt: requests.tries
  started_ms INTEGER NOT NULL,
  bucket     INTEGER NOT NULL               -- whose limits it counts against
) STRICT;

-- Races: the second attempt of a request that also has a flight: it goes to
-- the model of --escalate while the first has not been answered.
CREATE TABLE races (
  request    INTEGER PRIMARY KEY,
  worker     INTEGER NOT NULL,              -- that of the flight
  n          INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  bucket     INTEGER NOT NULL
) STRICT;

-- Recalls: single requests that were cancelled while in flight.  What would be
-- tried again ends as cancelled; those with `now` are cut off.
CREATE TABLE recalls (
  request INTEGER PRIMARY KEY,
  at_ms   INTEGER NOT NULL,
  now     INTEGER NOT NULL                  -- 1: `cancel --now`
) STRICT;

-- Buckets: what a server limits: one origin, key and model.  All workers read
-- and write these before they start a request.
CREATE TABLE buckets (
  id        INTEGER PRIMARY KEY,
  origin    TEXT NOT NULL,                  -- "https://api.openai.com"
  key_ref   TEXT NOT NULL,                  -- as batches.key_ref
  model     INTEGER NOT NULL REFERENCES models (id),
  hold_ms   INTEGER NOT NULL DEFAULT 0,     -- nothing starts before: the server said so
  hold_why  TEXT,                           -- "429", "remaining-requests 0", …
  cap       INTEGER,                        -- adaptive limit of requests in flight; NULL: none
  halved_ms INTEGER NOT NULL DEFAULT 0,     -- when cap was halved: earlier starts do not halve it again
  rate_us   INTEGER NOT NULL DEFAULT 0,     -- when the next start is due by rate (microseconds)
  tokens_us INTEGER NOT NULL DEFAULT 0,     -- the same by tokens
  UNIQUE (origin, key_ref, model)
) STRICT;

-- Shares: what each worker has in flight of each bucket, and whether it would
-- start more.  A worker's rows go when it leaves or is found dead.
CREATE TABLE shares (
  bucket    INTEGER NOT NULL,
  worker    INTEGER NOT NULL,
  in_flight INTEGER NOT NULL DEFAULT 0,
  wants_ms  INTEGER NOT NULL DEFAULT 0,     -- when it last found no room; 0: it does not wait
  served_ms INTEGER NOT NULL DEFAULT 0,     -- when it last started one
  PRIMARY KEY (bucket, worker)
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_worker ON shares (worker);

-- Blocks: why a living worker leaves a batch or a bucket alone; for
-- `fsl-batch queue`.  They go with the worker.
CREATE TABLE blocks (
  worker   INTEGER NOT NULL,
  batch    INTEGER NOT NULL DEFAULT 0,      -- 0: a bucket
  bucket   INTEGER NOT NULL DEFAULT 0,      -- 0: a batch
  reason   TEXT NOT NULL,                   -- "key_unresolved", "all_failing", "host_down", …
  message  TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  next_ms  INTEGER,                         -- when it tries again; NULL: not in this run
  PRIMARY KEY (worker, batch, bucket)
) STRICT, WITHOUT ROWID;

-- Attempts: those that have ended.
CREATE TABLE attempts (
  request    INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  worker     INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  took_ms    INTEGER,                       -- NULL: unknown, its worker died
  status     INTEGER,                       -- HTTP status; NULL: no answer
  code       TEXT,                          -- why it is no success; NULL: it is
  bytes      INTEGER NOT NULL DEFAULT 0,    -- of the answer's body
  next_ms    INTEGER,                       -- when the next was due; NULL: it was the last
  message    TEXT,                          -- of a failed one
  headers    TEXT,                          -- of a failed one: the telling ones, JSON object
  head       BLOB,                          -- of a failed one: first 4 KiB of the body
  PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID;

-- Answers: how each request ended, in the order in which they ended.  A
-- cancelled or expired request has none.
CREATE TABLE answers (
  id         INTEGER PRIMARY KEY,           -- batch << 32 | number, from 1
  line       INTEGER NOT NULL,              -- of the request
  ended_ms   INTEGER NOT NULL,
  status     INTEGER,                       -- HTTP status; NULL: there was no answer
  code       TEXT,                          -- without an answer, or with one that is no result
  message    TEXT,
  request_id TEXT,                          -- x-request-id of the server
  kind       INTEGER NOT NULL DEFAULT 0,    -- of the body: 0 JSON, 1 text, 2 other bytes, 3 none, 4 event stream
  body       BLOB,                          -- as it came
  source     TEXT                           -- id of the request whose answer was reused; NULL: none
) STRICT;

-- Workers: processes that send.  Who lives is told by the kernel: slot is the
-- byte of the side file that the process holds locked.
CREATE TABLE workers (
  id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: it fences flights
  slot       INTEGER NOT NULL,
  host       TEXT NOT NULL,
  pid        INTEGER NOT NULL,
  user       TEXT NOT NULL,
  version    TEXT NOT NULL,
  config     TEXT NOT NULL,                 -- JSON, without secrets
  limits     TEXT NOT NULL DEFAULT '[]',    -- JSON: its --limit rules (domain/limits.h)
  started_ms INTEGER NOT NULL,
  ended_ms   INTEGER,                       -- NULL: alive, or dead and not seen yet
  done       INTEGER NOT NULL DEFAULT 0,
  failed     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX workers_open ON workers (slot) WHERE ended_ms IS NULL;

-- Datasets: one plan each, and how its products stand.  The counters are kept
-- in the transaction that moves a product, so that lists read nothing else.
CREATE TABLE datasets (
  id          INTEGER PRIMARY KEY CHECK (id < 2147483648),
  uuid        BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
  name        TEXT UNIQUE,                  -- NULL: it was published by its id alone
  user        TEXT NOT NULL,                -- OS user who published it last: whose fsl-run starts its products
  paused      INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  modified_by TEXT NOT NULL,                -- of the dataset itself: publish, pause, unpause
  modified_us INTEGER NOT NULL,             -- microseconds
  active_us   INTEGER NOT NULL,             -- newest change of anything in it: lists are in this order
  products    INTEGER NOT NULL DEFAULT 0,   -- number given to the newest product; never goes back
  events      INTEGER NOT NULL DEFAULT 0,   -- number given to the newest event
  waiting     INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),  -- products in state 0
  queued      INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),   -- state 1
  running     INTEGER NOT NULL DEFAULT 0 CHECK (running >= 0),  -- state 2
  success     INTEGER NOT NULL DEFAULT 0 CHECK (success >= 0),  -- state 3
  failed      INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),   -- state 4
  disabled    INTEGER NOT NULL DEFAULT 0 CHECK (disabled >= 0), -- state 5
  ahead       INTEGER NOT NULL DEFAULT 0 CHECK (ahead >= 0)     -- products in state 1 to 4 with parents_left > 0:
                                            -- while there is none, nothing below an unfinished product has begun
) STRICT;
CREATE INDEX datasets_active ON datasets (active_us);

-- Dataset texts: what a change of state does not touch.
CREATE TABLE dataset_texts (
  id     INTEGER PRIMARY KEY REFERENCES datasets (id) ON DELETE CASCADE,
  extra  TEXT,                              -- JSON as it was published; NULL: null
  params TEXT,                              -- JSON object of the values that parameters had; NULL: none
  dir    TEXT NOT NULL,                     -- working directory of the plan's commands
  words  TEXT NOT NULL                      -- what a search looks at, a line each, case folded
) STRICT;

-- Dataset words: which datasets have which three characters in words.
CREATE VIRTUAL TABLE dataset_words USING fts5 (words, content = '', columnsize = 0,
  detail = none, tokenize = 'trigram case_sensitive 1');

-- Data products: the steps of a plan and where they stand.  Narrow: an update
-- may pass thousands of them.
--
--   0 waiting --trigger--> 1 queued --> 2 running --> 3 success | 4 failed
--   1 | 2 | 3 | 4 --> 0 waiting        cleared, or something above it has moved
--   any --disable--> 5 disabled --enable--> 0 waiting
--
-- The batch of a product with compute cams or dbxaas is no work of its: it has
-- one request, which tells a platform elsewhere to start this run.  It is
-- claimed until that is answered.
CREATE TABLE data_products (
  id          INTEGER PRIMARY KEY,          -- dataset << 32 | number, in the order of publication
  dataset     INTEGER NOT NULL REFERENCES datasets (id),
  uuid        BLOB NOT NULL CHECK (length(uuid) = 16),
  name        TEXT NOT NULL,
  version     TEXT NOT NULL,
  compute     TEXT NOT NULL CHECK (compute = 'batch' OR compute = 'cams' OR compute = 'dbxaas'
              OR compute = 'exec'),         -- not IN: that makes a table for each row
  eager       INTEGER NOT NULL CHECK (eager IN (0, 1)), -- 0: only a person queues it
  state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
  parents_left INTEGER NOT NULL DEFAULT 0 CHECK (parents_left >= 0), -- in state 0, 1, 2 or 4
  run_id      BLOB CHECK (length(run_id) = 16), -- of its last run
  worker      INTEGER,                      -- workers.id that has claimed it; NULL: nobody
  batch       INTEGER REFERENCES batches (id) ON DELETE SET NULL, -- its newest one
  resume      INTEGER NOT NULL DEFAULT 0    -- 0: the next run starts from zero, 1: goes on with the
              CHECK (resume BETWEEN 0 AND 2), -- batch, 2: sends again what failed in it
  held        TEXT,                         -- why a worker leaves it queued
  since_us    INTEGER NOT NULL,             -- it is in this state
  modified_by TEXT NOT NULL,
  modified_us INTEGER NOT NULL,
  UNIQUE (dataset, uuid),
  CHECK (id >> 32 = dataset)
) STRICT;
CREATE INDEX data_products_name ON data_products (dataset, name);
CREATE INDEX data_products_ready ON data_products (dataset, eager) WHERE state = 0 AND parents_left = 0;
CREATE INDEX data_products_open ON data_products (dataset, state) WHERE state = 1 OR state = 2 OR state = 4;
CREATE INDEX data_products_queued ON data_products (compute) WHERE state = 1 AND worker IS NULL;
CREATE INDEX data_products_worker ON data_products (worker) WHERE worker IS NOT NULL;
CREATE INDEX data_products_batch ON data_products (batch) WHERE batch IS NOT NULL;

-- Product texts: the long members of a product.  No row: all are null.
CREATE TABLE product_texts (
  id          INTEGER PRIMARY KEY REFERENCES data_products (id) ON DELETE CASCADE,
  passthrough TEXT,                         -- JSON as it was published
  extra       TEXT,                         -- JSON as it was published
  link        TEXT,                         -- of its last run
  passback    TEXT                          -- JSON of its last run
) STRICT;

-- Product outputs: what the command of a product with compute exec has written,
-- byte for byte; its children read it.  It need not be JSONL, so it is no file
-- with lines; the answers of a batch stay where they are.
CREATE TABLE product_outputs (
  product INTEGER PRIMARY KEY REFERENCES data_products (id) ON DELETE CASCADE,
  run_id  BLOB NOT NULL CHECK (length(run_id) = 16), -- whose output it is; of another run: out of date
  body    BLOB NOT NULL
) STRICT;

-- Retired runs: those whose reports come too late, as the product was cleared
-- or has another run since.
CREATE TABLE retired_runs (
  product INTEGER NOT NULL REFERENCES data_products (id) ON DELETE CASCADE,
  run_id  BLOB NOT NULL,
  PRIMARY KEY (product, run_id)
) STRICT, WITHOUT ROWID;

-- Dependencies: a child waits for its parent.  Those of a disabled product
-- are kept and count for nothing.
CREATE TABLE dependencies (
  parent      INTEGER NOT NULL REFERENCES data_products (id),
  child       INTEGER NOT NULL REFERENCES data_products (id),
  extra       TEXT,                         -- JSON as it was published
  modified_by TEXT NOT NULL,
  modified_us INTEGER NOT NULL,
  PRIMARY KEY (parent, child),
  CHECK (parent >> 32 = child >> 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_child ON dependencies (child);

-- Events: every change of a plan, for `fletcher-plan history`.
CREATE TABLE events (
  id      INTEGER PRIMARY KEY,              -- dataset << 32 | number, from 1
  product INTEGER,                          -- data_products.id; NULL: the dataset
  at_us   INTEGER NOT NULL,
  user    TEXT NOT NULL,
  command TEXT NOT NULL,                    -- "publish", "update", "clear", …
  old     INTEGER,                          -- of a product: its state, NULL: it was not there
  new     INTEGER,                          -- of a dataset: 0 active, 1 paused, NULL: it was not there
  run_id  BLOB
) STRICT;
CREATE INDEX events_product ON events (product) WHERE product IS NOT NULL;

-- For people with an SQLite shell.
CREATE VIEW request_list AS
  SELECT 'batch_' || lower(hex(b.uuid)) AS batch, r.id & 4294967295 AS line, t.custom_id,
         CASE r.state WHEN 0 THEN iif(r.tries > 0 AND r.due > 0, 'retrying', 'pending')
           WHEN 1 THEN 'processing' WHEN 2 THEN 'completed' WHEN 3 THEN 'failed'
           WHEN 4 THEN 'cancelled' ELSE 'expired' END AS state,
         r.tries AS attempts, m.name AS model
    FROM requests r JOIN batches b ON b.id = r.id >> 32
    JOIN templates t ON t.id = (b.file << 32) | (r.id & 4294967295)
    JOIN models m ON m.id = t.model;
CREATE VIEW product_list AS
  SELECT coalesce(d.name, lower(hex(d.uuid))) AS dataset, p.name AS product, p.version, p.compute,
         CASE p.state WHEN 0 THEN 'waiting' WHEN 1 THEN 'queued' WHEN 2 THEN 'running'
           WHEN 3 THEN 'success' WHEN 4 THEN 'failed' ELSE 'disabled' END AS state,
         p.parents_left, p.modified_by
    FROM data_products p JOIN datasets d ON d.id = p.dataset;
