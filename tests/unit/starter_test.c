/* The test is the ledger and the network thread at once, at a time of its own:
 * it begins and commits, and says how each job has ended. */
#include "engine/starter.h"

#include <string.h>
#include "domain/worker.h"
#include "fixture.h"
#include "rows.h"

static struct db *db;
static sqlite3 *raw;
static struct err e;
static struct worker worker;
static struct book *book;
static struct ledger_state *state;
static struct desk_words words;
static struct job_list out, ended, unsent, fresh; /* out: in flight */
static struct rng rng;
static struct tx tx;
static int64_t now;         /* wall clock */

enum { WINDOW = 100000, BEFORE = 60000 }; /* of a batch, of its rules */

#define SQL(...) ROWS_INT(raw, __VA_ARGS__)
static char RULES[] = "A=B@1m\nB=C@1m";

static void open_file(const char *name)
{
	db = fixture_db(name);
	raw = rows_raw(db_path(db));
	job_list_init(&out);
	job_list_init(&ended);
	job_list_init(&unsent);
	job_list_init(&fresh);
	now = INT64_C(1800000000000);
}

/* A batch of n lines for the model, with the rules or without, that expires
 * WINDOW from now. */
static int64_t add_batch(const char *model, int n, char *rules)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	struct batch b CLEANUP(batch_release) = BATCH_INIT;
	struct send send = SEND_INIT;
	bool existed;

	for (int i = 1; i <= n; i++)
		str_addf(&text, "{\"custom_id\":\"r%d\",\"url\":\"/v1/x\",\"model\":\"%s\",\"body\":"
			 "{%s%s%s\"max_tokens\":1000}}\n", i, model, *model == '-' ? "" : "\"model\":\"",
			 *model == '-' ? "" : model, *model == '-' ? "" : "\",");
	struct batch_new new = fixture_new(fixture_file(db, str_z(&text)));
	send.retry_delay_ms = 0;
	send.escalate = rules;
	new.send = &send;
	fixture_must(batch_create(db, &new, &b, &existed, &e) == 0, "batch_create", &e);
	ROWS_DO(raw, "UPDATE batches SET expires_ms = ?2 WHERE id = ?1", b.id, now + WINDOW);
	return b.id;
}

static void open_book(struct ledger_options o)
{
	static const struct worker_new me = { .version = "0", .config = "{}" };

	o.version = "0";
	o.config = "{}";
	o.jobs = o.jobs ? o.jobs : 8;
	fixture_must(worker_enter(db, &me, &worker, &e) == 0, "worker_enter", &e);
	book = book_new(db, worker.id, &o);
	state = book_state(book);
}

static void close_all(void)
{
	struct job_list *all[] = { &out, &ended, &unsent, &fresh };
	struct job *j;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		while ((j = job_pop(all[i])))
			job_free(j);
	tx_end(&tx);
	book_free(book);
	desk_words_clear(&words);
	sqlite3_close(raw);
	db_close(db);
}

/* One transaction up to its end: all that has ended, and up to n new ones. */
static void work(int n)
{
	fixture_must(tx_begin(&tx, db, &e) == 0 && book_begin(book, now, &e) == 0 &&
		     book_settle(book, &ended, &unsent, &e) == 0 &&
		     starter_start(book, n, &fresh, &e) == 0 && book_end(book, &e) == 0, "work", &e);
}

static void roll_back(void)
{
	book_rollback(book, &fresh);
	tx_end(&tx);
}

static void commit(void)
{
	fixture_must(tx_commit(&tx, &e) == 0, "tx_commit", &e);
	desk_words_clear(&words);
	book_commit(book, &words);
	book_drop(book, &ended);
	book_drop(book, &unsent);
	fixture_must(rows_wrong(raw) == 0, "counters", &e);
}

static const char *model_of(const struct job *j)
{
	static char text[40];

	snprintf(text, sizeof text, "%s", ROWS_TEXT(raw, "SELECT name FROM buckets b JOIN models m ON"
						    " m.id = b.model WHERE b.id = ?1", j->req.bucket));
	return text;
}

/* Commits: "2A 1B 1B!" is how many started at each model, races with a mark. */
static const char *commits(void)
{
	static char text[200];
	size_t at = 0;
	char last[44] = "";
	int n = 0;
	struct job *j;

	commit();
	text[0] = '\0';
	do {
		char name[44] = "";
		j = job_pop(&fresh);
		if (j)
			snprintf(name, sizeof name, "%s%s", model_of(j), j->race ? "!" : "");
		if (n > 0 && strcmp(name, last) != 0) {
			at += (size_t)snprintf(text + at, sizeof text - at, "%s%d%s", at ? " " : "", n, last);
			n = 0;
		}
		snprintf(last, sizeof last, "%s", name);
		n++;
		if (j)
			job_push(&out, j);
	} while (j);
	return text;
}

static const char *starts(int n)
{
	work(n);
	return commits();
}

/* Takes one in flight at the model, or a race there ("B!"). */
static struct job *flying(const char *model)
{
	bool race = strchr(model, '!');
	struct job *found = NULL;
	int n = out.n;

	while (n-- > 0) {
		struct job *j = job_pop(&out);
		if (!found && j->race == race && strncmp(model_of(j), model, strlen(model) - race) == 0)
			found = j;
		else
			job_push(&out, j);
	}
	rows_must(found != NULL, model, "none in flight");
	return found;
}

static void end_as(struct job *j, int status, enum http_code code, const char *body, int64_t retry_after)
{
	j->call.code = code;
	j->call.status = status;
	j->call.retry_after_ms = retry_after;
	j->call.sent = code != HTTP_UNUSABLE;
	str_addz(&j->call.answer, body);
	j->call.bytes = (int64_t)j->call.answer.n;
	job_judge(j, &rng, now);
	job_push(&ended, j);
}

/* n at the model are answered so. */
static void answers(const char *model, int n, int status)
{
	while (n-- > 0)
		end_as(flying(model), status, HTTP_ANSWERED, status == 200
		       ? "{\"usage\":{\"input_tokens\":10,\"output_tokens\":1000}}"
		       : "{\"error\":{\"message\":\"it says why\"}}", -1);
}

/* The loser of a race comes back. */
static void superseded(const char *model)
{
	end_as(flying(model), 0, HTTP_SUPERSEDED, "", -1);
}

/* When to look again, from now on. */
static int64_t next(void)
{
	int64_t at = starter_next(book, now);

	return at < 0 ? -1 : at - now;
}

/* "pending processing completed failed, lost, started" */
static const char *counts(void)
{
	static char text[100];

	snprintf(text, sizeof text, "%s, %lld, %lld", ROWS_TEXT(raw, "SELECT sum(pending) || ' ' ||"
		 " sum(processing) || ' ' || sum(completed) || ' ' || sum(failed) FROM batches"),
		 (long long)state->lost, (long long)state->started);
	return text;
}

static int cuts(void)
{
	int n = 0;

	for (int i = 0; i < words.n; i++)
		n += words.v[i].what == DESK_CUT_ROW && words.v[i].n == -1;
	return n;
}

static void escalating(void)
{
	open_file("escalating");
	add_batch("A", 6, RULES);
	open_book((struct ledger_options){ .jobs = 2 });
	CHECK_STR(starts(2), "2A", "before the end is near requests go to their model");
	CHECK_INT(next(), WINDOW - BEFORE, "it is known when that changes");
	now += WINDOW - BEFORE - 1;
	CHECK_STR(starts(0), "", "not before");
	now++;
	CHECK_STR(starts(0), "2B!", "then what is in flight races at the other model, beside the slots");
	CHECK_STR(starts(0), "", "once");
	CHECK_INT(next(), -1, "nothing more is to come");
	answers("B!", 1, 200);
	CHECK_STR(starts(0), "", "the race is won");
	CHECK_INT(cuts(), 1, "the other attempt is to be cut off");
	CHECK_STR(counts(), "4 1 1 0, 0, 4", "the request is completed");
	superseded("A");
	CHECK_STR(starts(1), "1B", "which frees its slot: what is pending goes to the other model");
	CHECK_STR(counts(), "3 2 1 0, 0, 5", "and was no loss");
	CHECK_STR(ROWS_TEXT(raw, "SELECT group_concat(ifnull(code, 'ok')) FROM attempts"),
		  "superseded,ok", "both attempts are recorded");
	answers("A", 1, 200);
	starts(0);
	CHECK(cuts() == 1 && strcmp(counts(), "3 1 2 0, 0, 5") == 0, "the first may win as well");
	superseded("B!");
	answers("B", 1, 200);
	CHECK_STR(starts(2), "2B", "what has gone to another model is not raced from there");
	CHECK_INT(cuts(), 0, "without a race nothing is cut off");
	CHECK_INT(SQL("SELECT count(*) FROM shares WHERE in_flight <> 0"), 1, "only there is something");
	CHECK_INT(SQL("SELECT sum(n) FROM (SELECT count(*) AS n FROM usage u JOIN models m ON m.id = model"
		      " WHERE m.name = 'B' AND input_tokens = 20)"), 1, "usage is the model's that answered");
	answers("B", 2, 200);
	CHECK_STR(starts(2), "1B", "the last");
	now += BEFORE;
	CHECK_STR(starts(2), "", "past the window nothing starts");
	close_all();
}

static void windows(void)
{
	open_file("windows");
	int64_t id = add_batch("A", 4, RULES);
	open_book((struct ledger_options){ .jobs = 4 });
	now += WINDOW - BEFORE;
	CHECK_STR(starts(1), "1B", "near the end");
	/* As `fsl-batch retry` does. */
	ROWS_DO(raw, "UPDATE batches SET expires_ms = expires_ms + 100000 WHERE id = ?1", id);
	book_hungry(book);
	CHECK_STR(starts(1), "1A", "another window: not any more");
	CHECK_INT(next(), WINDOW, "but later");
	ROWS_DO(raw, "UPDATE batches SET expires_ms = NULL WHERE id = ?1", id);
	book_hungry(book);
	CHECK_STR(starts(1), "1A", "no window: never");
	CHECK_INT(next(), -1, "that is known");
	close_all();
	open_file("none");
	add_batch("A", 2, NULL);
	add_batch("D", 2, RULES);
	open_book((struct ledger_options){ .jobs = 8 });
	CHECK_INT(next(), -1, "nothing is known of batches that were not met");
	now += WINDOW - 1;
	CHECK_STR(starts(8), "2A 2D", "batches without rules, and models without one, stay");
	close_all();
}

static void slots(void)
{
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;

	open_file("slots");
	add_batch("A", 8, RULES);
	open_book((struct ledger_options){ .jobs = 3 });
	CHECK_STR(starts(5), "5A", "three slots, and two are ahead of them");
	now += WINDOW - BEFORE;
	CHECK_STR(starts(-2), "3B!", "as many races as there are slots");
	CHECK_STR(starts(-5), "", "and no more");
	answers("B!", 1, 200);
	CHECK_STR(starts(-4), "1B!", "till one ends");
	close_all();

	fixture_must(limits_add(&l, "B:jobs=2", &e) == 0, "limits_add", &e);
	open_file("limit");
	add_batch("A", 8, RULES);
	open_book((struct ledger_options){ .jobs = 4, .limits = &l });
	starts(4);
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "2B!", "the other model's limit is the one that counts");
	CHECK_INT(next(), 1000, "others wait, and look for room again");
	answers("A", 1, 500);
	now += 1000;
	CHECK_STR(starts(1), "", "none is to be had at the other model");
	answers("B!", 1, 200);
	CHECK_STR(starts(4), "1B", "what is pending comes before what flies");
	CHECK_INT(next(), 1000, "which still waits");
	close_all();
}

/* A model with so many requests starts at the others as if nothing was there. */
static void shares(void)
{
	open_file("shares");
	add_batch("A", 40, NULL);
	add_batch("D", 4, NULL);
	open_book((struct ledger_options){ .jobs = 8 });
	starts(8);
	answers("A", 2, 200);
	answers("D", 2, 200);
	starts(4);
	while (SQL("SELECT pending + processing FROM batches WHERE id = 2") > 0) {
		answers("D", 1, 200);
		starts(8 - out.n);
	}
	CHECK(book_is_hungry(book) || out.n == 8, "the slow model gets the slots of one that has ended");
	starts(8 - out.n);
	CHECK_INT(out.n, 8, "all of them, at once");
	close_all();
}

static void failing(void)
{
	open_file("failing");
	add_batch("A", 30, RULES);
	open_book((struct ledger_options){ .jobs = 30 });
	starts(30);
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "30B!", "all race");
	answers("B!", 24, 404);
	CHECK_STR(starts(0), "", "what fails for good is not tried again");
	CHECK_STR(counts(), "0 30 0 0, 0, 60", "nothing is settled by that");
	CHECK(!state->block, "and it is not the batch that fails: no guard");
	close_all();

	open_file("again");
	add_batch("A", 1, RULES);
	open_book((struct ledger_options){ .jobs = 1 });
	starts(1);
	now += WINDOW - BEFORE;
	starts(0);
	answers("B!", 1, 500);
	CHECK_STR(starts(0), "1B!", "what may be tried again is, after its pause");
	end_as(flying("B!"), 503, HTTP_ANSWERED, "", 7000);
	CHECK_STR(starts(0), "", "which may be long");
	CHECK_INT(next(), 7000, "but is known");
	now += 6999;
	CHECK_STR(starts(0), "", "not before");
	now++;
	CHECK_STR(starts(0), "1B!", "then it is");
	for (int i = 3; i <= 6; i++) {
		answers("B!", 1, 500);
		CHECK_STR(starts(0), i < 6 ? "1B!" : "", "as often as a retry: %d lost", i);
	}
	CHECK_INT(next(), -1, "and no more");
	close_all();

	open_file("both");
	add_batch("A", 1, RULES);
	open_book((struct ledger_options){ .jobs = 1 });
	starts(1);
	now += WINDOW - BEFORE;
	starts(0);
	answers("A", 1, 400);
	starts(0);
	CHECK_STR(counts(), "0 1 0 0, 0, 2", "the first fails: the other decides");
	answers("B!", 1, 500);
	CHECK_STR(starts(1), "1B", "both fail: it is tried again, as without a race");
	CHECK_INT(SQL("SELECT counted FROM requests"), 1, "one attempt counts");
	answers("B", 1, 400);
	starts(1);
	CHECK_STR(counts(), "0 0 0 1, 0, 3", "till it fails for good");
	close_all();
}

static void once(void)
{
	struct send defaults = SEND_INIT;

	defaults.at_most_once = 1;
	open_file("once");
	add_batch("A", 3, RULES);
	open_book((struct ledger_options){ .jobs = 2, .defaults = &defaults });
	starts(2);
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "", "--at-most-once: nothing is sent twice");
	answers("A", 1, 200);
	CHECK_STR(starts(1), "1B", "what was not sent goes to the other model");
	close_all();

	open_file("unready");
	add_batch("A", 12, NULL);
	open_book((struct ledger_options){ .jobs = 8 });
	CHECK_STR(starts(20), "12A", "what may be sent again is started ahead of the slots");
	add_batch("B", 20, NULL);
	ROWS_DO(raw, "UPDATE batches SET options = '{\"at_most_once\":1}' WHERE id = 2");
	CHECK_STR(starts(8), "", "what may not waits for a slot, from its first one on");
	answers("A", 7, 200);
	CHECK_STR(starts(book_capacity(book, 20) - 5), "3B", "and is started for those that are free");
	answers("A", 5, 200);
	CHECK_STR(starts(book_capacity(book, 20) - 3), "5B", "in each round");
	answers("B", 8, 200);
	CHECK_STR(starts(8), "8B", "all of them in the end");
	answers("B", 8, 200);
	CHECK_STR(starts(8), "4B", "all of them");
	close_all();

	open_file("nameless");
	add_batch("-", 2, strcpy(RULES, "-=B@1m"));
	strcpy(RULES, "A=B@1m\nB=C@1m");
	open_book((struct ledger_options){ .jobs = 2 });
	starts(1);
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "1B!", "a body without a model");
	CHECK_INT(((struct job *)out.first->next)->call.code, HTTP_UNUSABLE, "cannot race");
	end_as(flying("B!"), 0, HTTP_UNUSABLE, "", -1);
	CHECK_STR(starts(0), "", "which is found out once");
	CHECK_STR(counts(), "1 1 0 0, 0, 2", "and settles nothing");
	close_all();
}

/* The other model is left alone. */
static void breaker(void)
{
	open_file("breaker");
	add_batch("A", 8, RULES);
	open_book((struct ledger_options){ .jobs = 4 });
	starts(4);
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "4B!", "all race");
	end_as(flying("B!"), 429, HTTP_ANSWERED, "{\"error\":{\"code\":\"insufficient_quota\"}}", -1);
	CHECK_STR(starts(0), "", "an empty purse: none goes there any more");
	CHECK_STR(state->block, "quota", "why");
	CHECK_INT(next(), -1, "and nobody waits for it");
	answers("A", 1, 200);
	CHECK_STR(starts(1), "1A", "what is pending stays at its own model then");
	answers("A", 1, 500);
	starts(0);
	CHECK_STR(counts(), "3 4 1 0, 0, 9", "a race that still flies decides");
	close_all();
}

static struct prices *prices_of(const char *text)
{
	char path[512];

	snprintf(path, sizeof path, "%s/prices.json", unit_dir());
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	struct prices *p = prices_load(path, &e);
	rows_must(p != NULL, "prices", e.msg);
	return p;
}

/* A request costs a tenth of a cent; of A ten times as much. */
#define CENT (PRICES_DOLLAR / 100)
#define PRICES "{\"A\":{\"input\":0,\"output\":10},\"B\":{\"input\":0,\"output\":1}}"

static void poor(void)
{
	struct prices *p CLEANUP(prices_cleanup) = prices_of(PRICES);

	open_file("poor");
	add_batch("B", 20, NULL);
	open_book((struct ledger_options){ .jobs = 8, .prices = p, .max_cost = CENT / 2 });
	CHECK_STR(starts(8), "5B", "as many start as can be paid");
	CHECK(state->poor, "no more is affordable");
	CHECK_STR(counts(), "15 5 0 0, 0, 5", "the others are pending");
	CHECK_INT(SQL("SELECT sum(tries) FROM requests"), 5, "as if nothing had happened");
	CHECK_INT(SQL("SELECT sum(in_flight) FROM shares"), 5, "in all counters");
	book_hungry(book);
	CHECK(!book_is_hungry(book) && book_next(book, now) == -1, "nobody asks again");
	CHECK_STR(starts(3), "", "nor gets more");
	end_as(flying("B"), 400, HTTP_ANSWERED, "{}", -1);
	CHECK_STR(starts(3), "1B", "what an attempt did not cost is free again");
	CHECK(state->poor, "and then nothing");
	work(8);
	roll_back();
	work(8);
	roll_back();
	answers("B", 1, 200);
	work(8);
	roll_back();
	work(8);
	roll_back();
	CHECK_STR(starts(8), "", "what it has cost is spent, once, however often that is tried");
	CHECK_STR(counts(), "14 4 1 1, 0, 6", "it is completed");
	job_push(&unsent, flying("B"));
	work(8);
	roll_back();
	CHECK_STR(starts(8), "1B", "one that was not sent is followed by one other");
	CHECK_STR(counts(), "14 4 1 1, 0, 6", "as the counters say");
	answers("B", 4, 200);
	CHECK_STR(starts(8), "", "all is spent");
	CHECK(state->poor && book->budget.spent == CENT / 2 && book->budget.reserved == 0,
	      "to the last, and not more");
	close_all();
}

static void poor_races(void)
{
	struct prices *p CLEANUP(prices_cleanup) = prices_of(PRICES);

	open_file("poor races");
	add_batch("A", 4, RULES);
	open_book((struct ledger_options){ .jobs = 4, .prices = p, .max_cost = 2 * CENT + CENT / 10 });
	CHECK_STR(starts(4), "2A", "two can be paid");
	now += WINDOW - BEFORE;
	CHECK_STR(starts(2), "1B", "at the other model one more");
	CHECK(state->poor, "and nothing else");
	CHECK_STR(starts(0), "", "no race can");
	CHECK_INT(SQL("SELECT sum(tries) FROM requests"), 3, "which leaves no trace");
	CHECK_INT(next(), 1000, "but is tried again");
	end_as(flying("B"), 400, HTTP_ANSWERED, "{}", -1);
	CHECK_STR(starts(0), "1B!", "when there is money");
	answers("A", 2, 400);
	CHECK_STR(starts(4), "1B", "what fails gives it back");
	CHECK(!state->poor, "then nobody is poor");
	close_all();

	/* A model without a price is met later. */
	struct prices *other CLEANUP(prices_cleanup) = prices_of("{\"A\":{\"input\":0,\"output\":10}}");
	open_file("no price");
	add_batch("A", 2, RULES);
	open_book((struct ledger_options){ .jobs = 4, .prices = other, .max_cost = 100 * CENT });
	CHECK_STR(starts(1), "1A", "a model with a price");
	now += WINDOW - BEFORE;
	CHECK_STR(starts(1), "1A", "which no request leaves for one without");
	CHECK_INT(next(), -1, "nor is that raced");
	CHECK(!book->unpriced && !state->poor, "there is nothing to say of it");
	add_batch("D", 2, NULL);
	add_batch("A", 1, NULL);
	book_hungry(book);
	CHECK_STR(starts(4), "1A", "another batch without a price: nothing of it starts");
	CHECK(book->unpriced && !state->poor, "which is said");
	answers("A", 3, 200);
	CHECK_STR(starts(4), "", "others go on, till only that is left");
	CHECK_INT(book_open(book, &e), 0, "then nothing is open: the run ends");
	close_all();
}

/* What is rolled back has not happened: no room, share or number is used up. */
static void rolled_back(void)
{
	struct limits l CLEANUP(limits_release) = LIMITS_INIT;

	fixture_must(limits_add(&l, "B:jobs=3", &e) == 0, "limits_add", &e);
	open_file("back");
	add_batch("A", 8, RULES);
	open_book((struct ledger_options){ .jobs = 4, .limits = &l });
	starts(4);
	now += WINDOW - BEFORE;
	for (int i = 0; i < 3; i++) {
		work(0);
		CHECK_INT(fresh.n, 3, "three race");
		roll_back();
		CHECK(fresh.n == 0 && SQL("SELECT count(*) FROM races") == 0, "or they do not");
	}
	CHECK_STR(starts(0), "3B!", "in the end they do");
	answers("B!", 1, 200);
	for (int i = 0; i < 3; i++) {
		work(0);
		roll_back();
		CHECK(cuts() == 0 && state->completed == 0, "what is not won cuts nothing off");
	}
	CHECK_STR(starts(0), "1B!", "the next one races");
	CHECK(cuts() == 1 && state->completed == 1, "when one has won, once");
	superseded("A");
	for (int i = 0; i < 3; i++) {
		work(1);
		roll_back();
	}
	CHECK_STR(starts(1), "", "the other model is full");
	CHECK_STR(counts(), "4 3 1 0, 0, 8", "and all are where they should be");
	struct limiter_bucket *bucket;
	for (int i = 0; (bucket = limiter_at(book->scene.limiter, i)); i++)
		CHECK_INT(bucket->mine, SQL("SELECT sum(in_flight) FROM shares WHERE bucket = ?1", bucket->row.id),
			  "%s: what the worker counts is what the file does", bucket->row.model);
	close_all();
}

/* --max-buffer: what races is in memory twice. */
static void full_races(void)
{
	open_file("full races");
	add_batch("A", 4, RULES);
	open_book((struct ledger_options){ .jobs = 4, .max_buffer = 1000000 });
	CHECK_STR(starts(4), "4A", "there is room for all");
	book->o.max_buffer = 2 * book->held;
	now += WINDOW - BEFORE;
	CHECK_STR(starts(0), "", "memory is full: no race starts");
	CHECK_INT(next(), 1000, "but is looked for again");
	answers("A", 2, 200);
	CHECK_STR(starts(0), "", "what has ended is in memory till it is on disk");
	CHECK_STR(starts(0), "2B!", "then the others race");
	CHECK_INT(next(), -1, "and nothing is to come");
	answers("B!", 2, 200);
	starts(0);
	superseded("A");
	superseded("A");
	starts(0);
	CHECK(book->held == 0 && state->completed == 4, "when all have ended nothing is held");
	close_all();
}

int main(void)
{
	rng_seed(&rng, 3);
	full_races();
	escalating();
	windows();
	slots();
	shares();
	failing();
	once();
	breaker();
	poor();
	poor_races();
	rolled_back();
	return unit_done();
}
