#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/harden.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/safe.h"
#include "cli/help.h"
#include "cli/version.h"

enum { OPERAND_MAX = 1 << 20, OUTPUT_BUFFER = 1 << 18 };

/* What the common options point to. */
static struct {
	const char *db, *columns, *progress, *config;
	bool json, quiet, help, version;
	int verbose, color, log_format;
} common;

enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
static const char *const colors[] = { "auto", "always", "never", NULL };
static const char *const log_formats[] = { "text", "json", NULL };

/* --plain is the opposite of --json: they share what they set. */
static struct opt common_options[] = {
	{ .kind = OPT_TEXT, .letter = 'D', .name = "db", .dst = &common.db,
	  .arg = "FILE", .help = "state file", .env = "FSL_DB",
	  .dflt = "$XDG_STATE_HOME/fsl/fsl.db, else ~/.local/state/fsl/fsl.db" },
	{ .kind = OPT_FLAG, .name = "json", .dst = &common.json,
	  .help = "one JSON object per line" },
	{ .kind = OPT_NOFLAG, .name = "plain", .dst = &common.json,
	  .help = "TAB separated, no header; of --json and --plain the last one wins",
	  .dflt = "when standard output is no terminal" },
	{ .kind = OPT_TEXT, .name = "columns", .dst = &common.columns, .arg = "A,B,...",
	  .help = "columns of a list, in this order", .dflt = "all" },
	{ .kind = OPT_FLAG, .letter = 'q', .name = "quiet", .dst = &common.quiet,
	  .help = "errors only" },
	{ .kind = OPT_COUNT, .letter = 'v', .name = "verbose", .dst = &common.verbose,
	  .help = "more words; twice: a line per request" },
	{ .kind = OPT_CHOICE, .name = "color", .dst = &common.color,
	  .arg = "auto|always|never", .choices = colors, .dflt = "auto",
	  .help = "auto: on a terminal, unless NO_COLOR is set" },
	{ .kind = OPT_TEXT, .name = "progress", .dst = &common.progress,
	  .arg = "auto|bar|json[:SECS]|none", .dflt = "auto; SECS 10",
	  .help = "on standard error; auto: a line that is redrawn, on a terminal" },
	{ .kind = OPT_CHOICE, .name = "log-format", .dst = &common.log_format,
	  .arg = "text|json", .choices = log_formats, .dflt = "text",
	  .help = "messages on standard error" },
	{ .kind = OPT_TEXT, .name = "config", .dst = &common.config, .arg = "FILE",
	  .help = "one long option a line, [PROGRAM] starts a section", .env = "FSL_CONFIG",
	  .dflt = "$XDG_CONFIG_HOME/fsl/config, else ~/.config/fsl/config" },
	{ .kind = OPT_FLAG, .letter = 'h', .name = "help", .dst = &common.help,
	  .help = "print this and exit" },
	{ .kind = OPT_FLAG, .letter = 'V', .name = "version", .dst = &common.version,
	  .help = "print the version, also of the libraries, and exit" },
	{ .kind = OPT_END },
};

static const struct opt *const common_tables[] = { common_options, NULL };

/* Standard output: stdio over write_data(), which remembers why it failed. */
static FILE *data;
static int data_errno;

/* stdio drops its buffer when write(2) fails, also when a signal interrupts it
 * or when somebody made the pipe non-blocking: those must not reach it. */
static ssize_t write_data(void *cookie, const char *p, size_t n)
{
	size_t done = 0;
	(void)cookie;
	while (done < n) {
		ssize_t k = write(STDOUT_FILENO, p + done, n - done);
		if (k >= 0) {
			done += (size_t)k;
		} else if (errno == EAGAIN) {
			struct pollfd f = { .fd = STDOUT_FILENO, .events = POLLOUT };
			poll(&f, 1, -1);
		} else if (errno != EINTR) {
			data_errno = errno;
			break;
		}
	}
	return (ssize_t)done;
}

static FILE *data_stream(void)
{
	static char buffer[OUTPUT_BUFFER];
	if (!data) {
		data = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_data });
		if (!data)
			BUG("no stream for standard output: %s", strerror(errno));
		setvbuf(data, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF,
			sizeof(buffer));
	}
	return data;
}

static int data_result(struct err *e)
{
	errno = data_errno;
	if (errno == 0)
		return 0;
	return err_sys(e, errno == EPIPE ? ERR_PIPE : ERR_IO,
		       "cannot write to standard output");
}

int tool_print(struct span v, struct err *e)
{
	if (data_errno == 0 && v.n > 0)
		fwrite(v.p, 1, v.n, data_stream());
	return data_result(e);
}

int tool_printf(struct err *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (data_errno == 0)
		vfprintf(data_stream(), fmt, ap);
	va_end(ap);
	return data_result(e);
}

/* All that was printed has arrived: file systems may say "no space" or "no
 * such server" as late as in close(2). */
static int data_finish(struct err *e)
{
	if (data && data_errno == 0)
		fflush(data);
	if (data_errno == 0 && fflush(stdout) == EOF)
		data_errno = errno;
	if (data_errno == 0 && close(STDOUT_FILENO) < 0 && errno != EINTR)
		data_errno = errno;
	return data_result(e);
}

void tool_complain(const struct err *e)
{
	log_error("%s", e->msg);
	if (e->hint[0])
		log_note("hint: %s", e->hint);
}

static void close_lines(struct lines **l)
{
	lines_close(*l);
}

/* One operand for tool_each(): a status, or -1. */
static int each_one(struct tool *t, tool_operand_fn *fn, const char *operand,
		    void *ctx, struct err *e)
{
	int status = fn(t, operand, ctx, e);
	if (status >= 0 || (e->code != ERR_NOTFOUND && e->code != ERR_STATE))
		return status;
	tool_complain(e);
	return err_status(e->code);
}

static int each_line(struct tool *t, tool_operand_fn *fn, void *ctx, struct err *e)
{
	struct lines *l CLEANUP(close_lines) = lines_open("-", OPERAND_MAX, e);
	if (!l)
		return -1;
	int worst = 0, rc;
	struct span v;
	while ((rc = lines_next(l, &v, e)) > 0) {
		if (v.n > 0 && v.p[v.n - 1] == '\r')
			v.n--;
		char *z CLEANUP(mem_cleanup) = mem_copy(v.p, v.n);
		if (z[strspn(z, " \t")] == '\0' && strlen(z) == v.n)
			continue;
		if (strlen(z) != v.n)
			return err_set(e, ERR_INPUT, "%s:%lld: a NUL byte", lines_name(l),
				       (long long)lines_number(l));
		int status = each_one(t, fn, z, ctx, e);
		if (status < 0)
			return -1;
		worst = status > worst ? status : worst;
	}
	return rc < 0 ? -1 : worst;
}

int tool_each(struct tool *t, tool_operand_fn *fn, void *ctx, struct err *e)
{
	int worst = 0;
	for (int i = 0; i < t->n_operands; i++) {
		bool list = strcmp(t->operands[i], "-") == 0;
		int status = list ? each_line(t, fn, ctx, e)
				  : each_one(t, fn, t->operands[i], ctx, e);
		if (status < 0)
			return -1;
		worst = status > worst ? status : worst;
	}
	return worst;
}

/* $xdg/fsl/name, else ~/below/fsl/name, else NULL.  The XDG base directory
 * specification has relative paths ignored. */
static char *home_file(const char *xdg, const char *below, const char *name)
{
	struct str path = STR_INIT;
	const char *dir = getenv(xdg), *home = getenv("HOME");
	if (dir && dir[0] == '/') {
		str_addf(&path, "%s/fsl/%s", dir, name);
		return str_take(&path);
	}
	if (!home || !*home) {
		const struct passwd *pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || !*home)
		return NULL;
	str_addf(&path, "%s/%s/fsl/%s", home, below, name);
	return str_take(&path);
}

static const char *source_of(const void *dst)
{
	const struct opt *o = common_options;
	while (o->dst != dst || !*opt_source(o))
		if ((++o)->kind == OPT_END)
			return "";
	return opt_source(o);
}

/* An error in the value of a common option that opt_parse() cannot see. */
static int bad_value(const void *dst, struct err *e)
{
	if (span_starts(span_of(source_of(dst)), "config:"))
		e->code = ERR_CONFIG;
	return err_wrap(e, "%s", source_of(dst));
}

static int read_progress(struct tool *t, struct err *e)
{
	static const char *const names[] = { "auto", "bar", "json", "none" };
	const char *v = common.progress ? common.progress : "auto";
	t->progress_ms = 10000;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(v, names[i]) == 0) {
			t->progress = (enum tool_progress)i;
			return 0;
		}
	}
	if (!span_starts(span_of(v), "json:")) {
		err_set(e, ERR_USAGE, "'%s' is not one of auto, bar, json[:SECS], none",
			safe_show(span_of(v), 60));
		return bad_value(&common.progress, e);
	}
	int64_t micros;
	if (num_micro(v + 5, 100000, 86400000000, &micros, e) < 0)
		return bad_value(&common.progress, e);
	t->progress = PROGRESS_JSON;
	t->progress_ms = micros / 1000;
	return 0;
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	if (common.color != COLOR_AUTO)
		return common.color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* The options of all verbs: NULL-terminated, to be freed. */
static const struct opt **all_options(const struct tool_program *p)
{
	const struct opt **all = mem_alloc(sizeof(*all));
	size_t n = 0;
	for (const struct tool_verb *v = p->verbs; v->run; v++) {
		if (!v->options)
			continue;
		all = mem_resize(all, n + 2, sizeof(*all));
		all[n++] = v->options;
		all[n] = NULL;
	}
	return all;
}

/* A program without verbs may have an option of its own in place of a common one. */
static void give_way(const struct opt *own)
{
	const struct opt *const table[] = { own, NULL };
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(common_options); i++)
		if (!common_options[i].name || !opt_named(table, span_of(common_options[i].name)))
			common_options[n++] = common_options[i];
}

/* Everything struct tool has from the options. */
static int settle(struct tool *t, struct err *e)
{
	t->quiet = common.quiet;
	t->verbose = common.verbose;
	t->columns = common.columns;
	t->color = wants_color();
	t->format_given = *source_of(&common.json);
	t->format = common.json ? TOOL_JSON
		  : t->format_given || !isatty(STDOUT_FILENO) ? TOOL_PLAIN : TOOL_TABLE;
	if (read_progress(t, e) < 0)
		return -1;
	if (common.db && !*common.db) {
		err_set(e, ERR_USAGE, "an empty file name");
		return bad_value(&common.db, e);
	}
	t->db_is_default = !common.db;
	t->db = common.db ? mem_strdup(common.db)
			  : home_file("XDG_STATE_HOME", ".local/state", "fsl.db");
	if (t->db)
		return 0;
	err_set(e, ERR_CONFIG, "no home directory for the state file");
	return err_hint(e, "name it with --db FILE or in FSL_DB");
}

static void set_log(void)
{
	log_set(common.quiet ? LOG_ERROR : common.verbose > 1 ? LOG_DEBUG
		: common.verbose ? LOG_INFO : LOG_NOTE, common.log_format == 1);
}

static int print_help(const struct tool_program *p, const struct tool_verb *v,
		      struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	help_page(p, v, common_options, &text);
	return tool_print(str_span(&text), e);
}

static int print_version(const struct tool_program *p, struct err *e)
{
	if (!p->libraries)
		return tool_printf(e, "%s %s\n", p->name, FSL_VERSION);
	return tool_printf(e, "%s %s (%s)\n", p->name, FSL_VERSION, p->libraries());
}

static int print_options(const struct tool_program *p, struct err *e)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	help_list(p, common_options, &text);
	return tool_print(str_span(&text), e);
}

static int complain_no_verb(const struct tool_program *p)
{
	struct str text CLEANUP(str_release) = STR_INIT;
	help_usage(p, NULL, &text);
	fputs(str_z(&text), stderr);
	log_note("hint: '%s --help' lists the verbs", p->name);
	return err_status(ERR_USAGE);
}

static const struct tool_verb *find_verb(const struct tool_program *p, const char *name,
					 struct err *e)
{
	const char **names CLEANUP(mem_cleanup) = NULL;
	size_t n = 0;
	for (const struct tool_verb *v = p->verbs; v->run; v++) {
		if (strcmp(v->name, name) == 0)
			return v;
		names = mem_resize(names, n + 2, sizeof(*names));
		names[n++] = v->name;
		names[n] = NULL;
	}
	err_set(e, ERR_USAGE, "unknown verb '%s'", safe_show(span_of(name), 60));
	const char *near = names ? opt_nearest(name, names) : NULL;
	if (near)
		err_hint(e, "did you mean %s?", near);
	return NULL;
}

static int check_operands(const struct tool *t, const struct tool_verb *v, struct err *e)
{
	if (t->n_operands < v->min_operands)
		return err_set(e, ERR_USAGE, "an operand is missing: %s", v->operands);
	if (v->max_operands >= 0 && t->n_operands > v->max_operands)
		return err_set(e, ERR_USAGE, "one operand too many: '%s'",
			       safe_show(span_of(t->operands[v->max_operands]), 60));
	return 0;
}

/* Parses what is left and runs `v`; NULL: only --help and --version can be
 * meant.  `help` is the verb of that name. */
static int run_verb(const struct tool_program *p, const struct tool_verb *v, bool help,
		    struct tool *t, int argc, char **argv, struct err *e)
{
	const struct opt *tables[] = { common_options, NULL, NULL };
	if (v && v->options)
		tables[1] = v->options;
	int rc = opt_parse(tables, argc, argv, &t->operands, &t->n_operands, e);
	set_log();
	if (rc < 0)
		return -1;
	if (help && t->n_operands > 0 && !(v = find_verb(p, t->operands[0], e)))
		return -1;
	if (help || common.help)
		return print_help(p, v, e);
	if (common.version)
		return print_version(p, e);
	if (!v)
		return complain_no_verb(p);
	const struct opt **others CLEANUP(mem_cleanup) = all_options(p);
	char *path CLEANUP(mem_cleanup) = NULL;
	if (opt_environment(tables, e) < 0)
		return -1;
	if (!common.config)
		path = home_file("XDG_CONFIG_HOME", ".config", "config");
	const struct config_source config = {
		.tables = tables, .others = others, .program = p->name,
		.path = common.config ? common.config : path, .must_exist = common.config,
	};
	if (config_read(&config, e) < 0)
		return -1;
	t->config = &config;
	set_log();
	if (settle(t, e) < 0 || check_operands(t, v, e) < 0)
		return -1;
	int status = v->run(t, e);
	if (status < 0)
		opt_blame(tables, config.path, e);
	return status;
}

/* Takes the verb out of the words and runs it. */
static int run(const struct tool_program *p, struct tool *t, int argc, char **argv,
	       struct err *e)
{
	if (!p->verbs[0].name && p->verbs[0].options)
		give_way(p->verbs[0].options);
	if (argc == 2 && strcmp(argv[1], "--list-options") == 0)
		return print_options(p, e);
	if (!p->verbs[0].name)
		return run_verb(p, p->verbs, false, t, argc, argv, e);
	int at = opt_first_operand(common_tables, argc, argv, e);
	if (at < 0)
		return e->hint[0] ? -1 : err_hint(e, "options of a verb stand behind it; "
						  "see '%s --help'", p->name);
	if (at == argc)
		return run_verb(p, NULL, false, t, argc, argv, e);
	bool help = strcmp(argv[at], "help") == 0;
	const struct tool_verb *v = help ? NULL : find_verb(p, argv[at], e);
	if (!v && !help)
		return -1;
	t->verb = v ? v->name : NULL;
	char **rest CLEANUP(mem_cleanup) = mem_alloc(((size_t)argc + 1) * sizeof(*rest));
	for (int i = 0, n = 0; i < argc; i++)
		if (i != at)
			rest[n++] = argv[i];
	return run_verb(p, v, help, t, argc - 1, rest, e);
}

/* Whatever is opened later must not become standard output. */
static void open_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(err_status(ERR_INTERNAL));
}

int tool_main(const struct tool_program *p, int argc, char **argv)
{
	open_standard_fds();
	harden_files();
	signal(SIGPIPE, SIG_IGN);
	log_init(p->name, LOG_NOTE, false);
	struct err e = ERR_INIT;
	struct tool t = { .program = p->name };
	int status = run(p, &t, argc, argv, &e);
	bool printed = status < 0 && e.code != ERR_PIPE;
	if (status < 0) {
		if (e.code == ERR_USAGE && !e.hint[0])
			err_hint(&e, "see '%s%s%s --help'", p->name, t.verb ? " " : "",
				 t.verb ? t.verb : "");
		if (printed)
			tool_complain(&e);
		status = err_status(e.code);
	}
	if (data_finish(&e) < 0 && e.code != ERR_PIPE && !printed) {
		tool_complain(&e);
		status = err_status(e.code);
	}
	free(t.operands);
	free(t.db);
	return status;
}
