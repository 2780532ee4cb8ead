/* err: one way to report that something failed.
 *
 * A function that can fail takes a `struct err *` as its last argument and
 * returns 0 or a useful value on success and -1 (or NULL) on failure, after
 * filling the error with err_set().  Callers on the way up may add context
 * with err_wrap(); it is printed once, by cli/tool.  A bug of our own is not
 * an error: BUG() prints file and line and aborts.
 *
 * Ownership: the caller owns the struct, usually on its stack; nothing in it
 * points anywhere.  NULL is not accepted. */
#ifndef FSL_BASE_ERR_H
#define FSL_BASE_ERR_H

/* Exit statuses of what is no failure of the program itself. */
enum {
	EXIT_OK = 0,
	EXIT_NOTHING = 1, /* done; nothing succeeded */
	EXIT_SOME = 3,    /* done; some failed */
	EXIT_REMAINS = 4, /* stopped early, work remains */
};

/* What kind of failure, with its exit status. */
enum err_code {
	ERR_NONE = 0,
	ERR_NOTFOUND,    /*  5: no such file, batch, request, ... */
	ERR_STATE,       /*  6: refused in this state */
	ERR_USAGE,       /* 64: the command line is wrong */
	ERR_INPUT,       /* 65: the input data are bad */
	ERR_NOINPUT,     /* 66: an input cannot be opened */
	ERR_UNAVAILABLE, /* 69: a service or a plug-in is not there */
	ERR_INTERNAL,    /* 70: a library did what it should not */
	ERR_CANTCREAT,   /* 73: an output cannot be created */
	ERR_IO,          /* 74: reading or writing failed */
	ERR_BUSY,        /* 75: the state file is busy, try again later */
	ERR_NOPERM,      /* 77: a secret or a permission is missing */
	ERR_CONFIG,      /* 78: the configuration, or the state file's version */
	ERR_PIPE,        /*  0: the reader of our output went away; say nothing */
	ERR_HELD,        /* 75: another worker lives, and --exclusive was asked for */
};

struct err {
	enum err_code code;
	char msg[512];  /* one line, no newline at its end, safe to print */
	char hint[256]; /* what to do next, or "" */
};

#define ERR_INIT { ERR_NONE, "", "" }

/* Fills `e` (what was in it is lost) and returns -1.  A message that is too
 * long is cut.  Values from users go through safe_show() first. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " before the message, keeps code and hint; returns -1. */
int err_wrap(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets the hint; returns -1, so that it can end a return statement. */
int err_hint(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Like err_set(), with ": strerror(errno)" behind the message. */
int err_sys(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The exit status of an error. */
int err_status(enum err_code code);

/* For results that must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* A broken invariant of ours: says where and aborts. */
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void err_bug(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
