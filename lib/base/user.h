/* user: who runs this process. */
#ifndef FSL_BASE_USER_H
#define FSL_BASE_USER_H

/* The name of the effective user (FSL_USER overrides it), else its number as
 * text.  Valid as long as the process; the first call is not thread-safe. */
const char *user_name(void);

#endif
