#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/mem.h"
#include "base/safe.h"
#include "base/str.h"

static _Atomic(const char *) program_name = "fsl";
static atomic_int shown = LOG_NOTE;
static atomic_bool as_json = false;

void log_init(const char *program, enum log_level level, bool json)
{
	atomic_store(&program_name, program);
	log_set(level, json);
}

void log_set(enum log_level level, bool json)
{
	atomic_store(&shown, (int)level);
	atomic_store(&as_json, json);
}

bool log_shows(enum log_level level)
{
	return level == LOG_ERROR || (int)level <= atomic_load(&shown);
}

const char *log_program(void)
{
	return atomic_load(&program_name);
}

static void add_text_line(struct str *line, enum log_level level, struct span message)
{
	str_addf(line, "%s: %s", log_program(), level == LOG_WARNING ? "warning: " : "");
	/* A newline in a message would look like two. */
	safe_text(line, message);
}

static void add_json_line(struct str *line, enum log_level level, struct span message)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error", [LOG_WARNING] = "warning",
		[LOG_NOTE] = "note", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
	};
	char time[CLOCK_BUF];
	struct jsonw w = jsonw_start(line);
	jsonw_object(&w);
	jsonw_kstrz(&w, "time", clock_text_ms(clock_wall_ms(), time));
	jsonw_kstrz(&w, "level", names[level]);
	jsonw_kstrz(&w, "program", log_program());
	jsonw_kstr(&w, "message", message);
	jsonw_end(&w);
}

/* There is nobody to tell when stderr is broken. */
static void put_line(const struct str *line)
{
	for (size_t done = 0; done < line->n;) {
		ssize_t n = write(STDERR_FILENO, line->p + done, line->n - done);
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			done += (size_t)n;
	}
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	if (!log_shows(level))
		return;
	int saved = errno;
	struct str message CLEANUP(str_release) = STR_INIT;
	va_list ap;
	va_start(ap, fmt);
	str_addv(&message, fmt, ap);
	va_end(ap);
	struct str line CLEANUP(str_release) = STR_INIT;
	if (atomic_load(&as_json))
		add_json_line(&line, level, str_span(&message));
	else
		add_text_line(&line, level, str_span(&message));
	str_addc(&line, '\n');
	put_line(&line);
	errno = saved;
}

void log_notes(const char *lines)
{
	for (const char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1)
		log_note("%.*s", (int)(end - lines), lines);
}
