/* unit: what a unit test is written with.  Output is TAP (testanything.org).
 *
 *     int main(void)
 *     {
 *             CHECK(1 + 1 == 2, "one and one are two");
 *             CHECK_STR(str_z(&s), "abc", "appending");
 *             return unit_done();
 *     }
 *
 * A test names the rule it checks.  Tests do not sleep and do not depend on
 * each other; files go to unit_dir(), a fresh directory removed at the end. */
#ifndef FSL_UNIT_H
#define FSL_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK(cond, ...) unit_check((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
#define CHECK_INT(got, want, ...) \
	unit_check_int((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, __VA_ARGS__)
#define CHECK_STR(got, want, ...) \
	unit_check_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

bool unit_check(bool ok, const char *file, int line, const char *text,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool unit_check_int(int64_t got, int64_t want, const char *file, int line,
		    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool unit_check_str(const char *got, const char *want, const char *file,
		    int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
const char *unit_dir(void);

/* Runs fn in a child process, for what aborts, is read once or writes to
 * stderr.  Returns the signal that ended the child, 0 if fn returned, -1 if
 * it ended with a failure; `said`, unless NULL, gets the beginning of what
 * came on its stderr. */
int unit_child(void (*fn)(void), char *said, size_t size);

int unit_done(void); /* prints the plan; 0 if all passed */

#endif
