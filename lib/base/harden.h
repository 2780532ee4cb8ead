/* harden: what a process asks of the system that holds keys and many
 * connections. */
#ifndef FSL_BASE_HARDEN_H
#define FSL_BASE_HARDEN_H

/* No core dump; memory and environment are closed to other processes of the
 * same user (prctl(2), PR_SET_DUMPABLE); no TLS keys in a file (SSLKEYLOGFILE).
 * As many descriptors as the system allows, and freed memory is kept for the
 * next answer.  At the start, before a key is read; what the system refuses is
 * left as it is. */
void harden_process(void);

/* Files that are made from now on are for the user alone (umask 077). */
void harden_files(void);

/* Gives a command of the user's, between fork(2) and exec(2), the umask and the
 * soft limit of descriptors that the process was started with.  There is still
 * no core dump: the environment may hold a key.  Async-signal-safe. */
void harden_undo(void);

#endif
