/* clock: the two clocks, and times as text.
 *
 * The monotonic clock measures durations, the wall clock stamps rows and due
 * times.  FSL_TEST_NOW moves the wall clock of a test: milliseconds since
 * 1970, where it then stands still, or "+N"/"-N", that many milliseconds away
 * from the real one.  It is read once, at the first call; anything else in it
 * is a BUG. */
#ifndef FSL_BASE_CLOCK_H
#define FSL_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);
/* Monotonic, and goes on while the machine sleeps. */
int64_t clock_boot_ms(void);
int64_t clock_wall_us(void);

/* "2026-11-21T03:12:45Z", or with milliseconds "…45.123Z"; `buf` has
 * CLOCK_BUF bytes and is returned.  Years 1970 to 9999; what is outside is
 * clamped. */
enum { CLOCK_BUF = 40 };
char *clock_text(int64_t wall_ms, char *buf);
char *clock_text_ms(int64_t wall_ms, char *buf);
/* With microseconds and an offset: "2026-11-21T03:12:45.123456+00:00". */
char *clock_text_us(int64_t wall_us, char *buf);

#endif
