#include "store/side.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "proc.h"
#include "unit.h"

static char path[4096], side_path[4100];

static struct side *opened(void)
{
	struct err e = ERR_INIT;
	struct side *s = side_open(path, 0600, geteuid(), getegid(), &e);

	if (!s) {
		printf("Bail out! side_open: %s\n", e.msg);
		exit(1);
	}
	return s;
}

/* Does what it is told: l lock (waits), t try, u unlock, w a worker's byte,
 * o a loader's, v give the last one back, r ring.  Answers with the command,
 * or '-' if it failed. */
static void servant(struct proc *parent)
{
	struct side *s = opened();
	int slot = 0, command;

	while ((command = proc_hear(parent)) > 0) {
		struct err e = ERR_INIT;
		int rc = 0;
		switch (command) {
		case 'l': rc = side_lock(s, -1, &e); break;
		case 't': rc = side_lock(s, 0, &e); break;
		case 'u': side_unlock(s); break;
		case 'w': rc = slot = side_enter(s, SIDE_WORKER, &e); break;
		case 'o': rc = slot = side_enter(s, SIDE_LOADER, &e); break;
		case 'v': side_leave(s, slot); break;
		case 'r': side_ring(s); break;
		default: break;
		}
		proc_say(parent, rc < 0 ? '-' : (char)command);
	}
}

static bool does(struct proc *p, char command)
{
	proc_say(p, command);
	return proc_hear(p) == command;
}

static void making(void)
{
	struct err e = ERR_INIT;
	struct stat st;
	struct side *s = side_open(path, 0640, geteuid(), getegid(), &e);

	CHECK(s && stat(side_path, &st) == 0, "the file is the state file's name and -fsl");
	CHECK_INT(st.st_mode & 0777, 0640, "with the mode of the state file");
	int found = 0, closing = 0;
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *f; d && (f = readdir(d));) {
		char link[4200] = "";
		if (readlinkat(dirfd(d), f->d_name, link, sizeof link - 1) > 0 &&
		    strstr(link, "/db-fsl")) {
			found++;
			closing += (fcntl(atoi(f->d_name), F_GETFD) & FD_CLOEXEC) != 0;
		}
	}
	closedir(d);
	CHECK(found == 1 && closing == 1, "the descriptor is close-on-exec");
	side_close(s);
	side_close(NULL);
	unlink(side_path);

	CHECK(symlink("elsewhere", side_path) == 0, "a symbolic link in its place");
	CHECK(!side_open(path, 0600, geteuid(), getegid(), &e), "is not followed");
	CHECK_INT(e.code, ERR_CANTCREAT, "but ERR_CANTCREAT");
	unlink(side_path);
}

static void locking(void)
{
	struct err e = ERR_INIT;
	struct side *s = opened(), *other = opened();
	struct proc a = proc_start(servant), b = proc_start(servant);

	CHECK(does(&a, 'l'), "a process takes the lock");
	CHECK_INT(side_lock(s, 0, &e), -1, "another does not get it");
	CHECK_INT(e.code, ERR_BUSY, "that is ERR_BUSY");
	CHECK(e.hint[0], "with a hint");
	int64_t start = clock_mono_ms();
	CHECK_INT(side_lock(s, 50, &e), -1, "nor after a while");
	int64_t took = clock_mono_ms() - start;
	CHECK(e.code == ERR_BUSY && took >= 50 && took < 5000, "ERR_BUSY after the time given");

	sigset_t alarm_only;
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, NULL);
	CHECK_INT(side_lock(s, 50, &e), -1, "it also ends when SIGALRM was blocked");
	sigset_t now;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGALRM) == 1, "and leaves the mask as it was");
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);

	proc_say(&b, 'l');
	CHECK(!proc_readable(b.in, 30), "one that may wait for ever waits");
	CHECK(does(&a, 'u'), "the first gives it back");
	CHECK_INT(proc_hear(&b), 'l', "the other has it now");
	proc_say(&a, 'l');
	CHECK(!proc_readable(a.in, 30), "the first waits in turn");
	proc_kill(&b);
	CHECK_INT(proc_hear(&a), 'l', "kill -9 of the holder releases it");
	CHECK(does(&a, 'u'), "and it is given back");
	CHECK_INT(side_lock(s, 0, &e), 0, "a free lock is taken at once");
	CHECK(side_lock(other, 0, &e) == -1 && e.code == ERR_BUSY,
	      "a second connection of the same process is another holder");
	CHECK(!does(&a, 't'), "a try by another process fails");
	side_unlock(s);
	CHECK(does(&a, 't'), "and succeeds afterwards");
	proc_end(&a);
	CHECK(side_lock(s, 10000, &e) == 0, "the end of the holder releases it");
	side_close(s);
	CHECK(side_lock(other, 0, &e) == 0, "so does side_close()");
	side_close(other);
}

static void slots(void)
{
	struct err e = ERR_INIT;
	struct side *s = opened();
	struct proc a = proc_start(servant), b = proc_start(servant);

	CHECK(!side_any_worker(s), "at first no worker lives");
	CHECK(does(&a, 'o') && side_alive(s, SIDE_LOADER_FIRST), "a loader takes the first of theirs");
	CHECK(!side_any_worker(s), "a loader is no worker");
	CHECK(does(&a, 'v') && !side_alive(s, SIDE_LOADER_FIRST), "and gives it back");
	CHECK(!side_alive(s, 1), "byte 1 is free");
	CHECK(does(&a, 'w') && side_alive(s, 1), "a worker takes it");
	CHECK(!side_mine(s, 1), "it is not ours");
	CHECK(side_any_worker(s), "now a worker lives");
	CHECK(does(&b, 'w') && side_alive(s, 2), "the next one takes the next byte");
	CHECK_INT(side_enter(s, SIDE_WORKER, &e), 3, "and we the third");
	CHECK(side_alive(s, 3) && side_mine(s, 3), "one's own counts as held");
	CHECK_INT(side_enter(s, SIDE_WORKER, &e), 4, "a process can hold several");

	kill(a.pid, SIGSTOP);
	int status;
	CHECK(waitpid(a.pid, &status, WUNTRACED) == a.pid && WIFSTOPPED(status),
	      "a process is stopped");
	CHECK(side_alive(s, 1), "it keeps its byte");
	proc_kill(&a);
	CHECK(!side_alive(s, 1), "a killed one loses it at once");
	CHECK_INT(side_enter(s, SIDE_WORKER, &e), 1, "the byte is used again");
	side_leave(s, 1);
	side_leave(s, 3);
	side_leave(s, 4);
	CHECK(!side_alive(s, 1) && !side_mine(s, 3), "left bytes are free");
	CHECK(side_any_worker(s), "the other process still lives");
	proc_end(&b);
	CHECK(!side_any_worker(s), "and then no more");
	CHECK_INT(side_enter(s, SIDE_WORKER, &e), 1, "we take the first");
	CHECK(side_any_worker(s), "we are a worker too");
	side_close(s);
}

static void all_taken(void)
{
	struct err e = ERR_INIT;
	struct side *s = opened(), *other = opened();
	bool in_order = true;

	for (int i = SIDE_WORKER_FIRST; i < SIDE_LOADER_FIRST; i++)
		in_order &= side_enter(s, SIDE_WORKER, &e) == i;
	CHECK(in_order, "there are 1,023 bytes for workers");
	CHECK(side_enter(s, SIDE_WORKER, &e) == -1 && e.code == ERR_BUSY, "the next is ERR_BUSY");
	CHECK(side_enter(other, SIDE_WORKER, &e) == -1 && e.code == ERR_BUSY, "for anybody");
	CHECK_INT(side_enter(other, SIDE_LOADER, &e), SIDE_LOADER_FIRST, "loaders have their own");
	CHECK(!side_alive(s, SIDE_END) && !side_mine(s, -1), "bytes beyond are nobody's");
	side_close(s);
	side_close(other);
}

/* Both bits, waiting until `want` are there. */
static int hear_until(int bell, int want)
{
	int bits = 0;

	while ((bits & want) != want && proc_readable(bell, PROC_LIMIT_MS))
		bits |= side_heard(bell);
	return bits;
}

static void doorbell(void)
{
	struct err e = ERR_INIT;
	struct side *s = opened();
	struct proc a = proc_start(servant);

	CHECK(does(&a, 'w'), "a process has the file open");
	int bell = side_listen(s, &e);
	CHECK(bell >= 0 && (fcntl(bell, F_GETFD) & FD_CLOEXEC), "a descriptor, close-on-exec");
	CHECK(!proc_readable(bell, 0), "at first nobody rings");
	CHECK_INT(side_heard(bell), 0, "and nothing is heard");
	CHECK(does(&a, 'r') && proc_readable(bell, PROC_LIMIT_MS), "another process rings");
	CHECK_INT(side_heard(bell), SIDE_RANG, "somebody rang");
	CHECK(!proc_readable(bell, 0), "the descriptor is empty then");
	for (int i = 0; i < 20000; i++)
		side_ring(s);
	CHECK(side_heard(bell) & SIDE_RANG, "rung 20,000 times, it is heard");
	CHECK_INT(side_heard(bell), 0, "and empty");
	CHECK(does(&a, 'l') && does(&a, 'u') && !proc_readable(bell, 0), "locking does not ring");
	kill(a.pid, SIGKILL);
	CHECK(hear_until(bell, SIDE_CLOSED) & SIDE_CLOSED, "a process that is killed is heard");
	CHECK(PROC_UNTIL(!side_alive(s, 1)), "its byte is free");
	proc_end(&a);
	close(bell);
	side_close(s);
}

static void gone(void)
{
	struct err e = ERR_INIT;
	char moved[5000];
	struct side *s = opened();

	snprintf(moved, sizeof moved, "%s.old", side_path);
	unlink(side_path);
	CHECK(side_lock(s, 0, &e) == -1 && e.code == ERR_CONFIG, "a removed side file is ERR_CONFIG");
	CHECK(strstr(e.msg, "removed or replaced"), "and the message says so");
	side_close(s);

	s = opened();
	rename(side_path, moved);
	CHECK(side_lock(s, 0, &e) == -1 && e.code == ERR_CONFIG, "a side file that was moved as well");
	struct side *fresh = opened();
	CHECK(side_lock(fresh, 0, &e) == 0, "others lock the one that is made anew");
	side_unlock(fresh);
	CHECK(side_lock(s, 0, &e) == -1 && e.code == ERR_CONFIG,
	      "the old one is no lock any more: it was replaced");
	rename(moved, side_path);
	CHECK(side_lock(s, 0, &e) == 0, "put back, it is good");
	CHECK(side_lock(fresh, 0, &e) == -1 && e.code == ERR_CONFIG, "and the other is not");
	side_close(s);
	side_close(fresh);
}

int main(void)
{
	snprintf(path, sizeof path, "%s/db", unit_dir());
	snprintf(side_path, sizeof side_path, "%s-fsl", path);
	making();
	locking();
	slots();
	all_taken();
	doorbell();
	gone();
	return unit_done();
}
