/* log: words for people, on stderr, one line each.
 *
 *     fsl-run: warning: the state file is full, 12 results wait in memory
 *
 * With the JSON format each line is {"time":…,"level":…,"program":…,
 * "message":…}.  A line is one write(2), so that lines of several programs
 * do not mix.  Safe from several threads.  Messages carry no bodies and no
 * secrets; values from users go through safe_show(). */
#ifndef FSL_BASE_LOG_H
#define FSL_BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_ERROR,   /* always shown */
	LOG_WARNING, /* hidden by -q */
	LOG_NOTE,    /* hidden by -q: what a person wants to know once */
	LOG_INFO,    /* -v */
	LOG_DEBUG,   /* -vv */
};

/* `program` must live as long as the process.  Before the call the program
 * is "fsl" and the level LOG_NOTE. */
void log_init(const char *program, enum log_level level, bool json);
void log_set(enum log_level level, bool json);
bool log_shows(enum log_level level);
const char *log_program(void);

/* A warning is marked as such ("fsl-run: warning: …"); an error is what is left
 * when a program ends, and says so by its exit status. */
void log_msg(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes, one per line of the text; each line ends in a newline. */
void log_notes(const char *lines);

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_note(...) log_msg(LOG_NOTE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
