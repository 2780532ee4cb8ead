#include "base/user.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *user_name(void)
{
	static char name[64];

	if (name[0])
		return name;
	const char *given = getenv("FSL_USER");
	const struct passwd *pw = given && *given ? NULL : getpwuid(geteuid());
	if (given && *given)
		snprintf(name, sizeof name, "%s", given);
	else if (pw && pw->pw_name[0])
		snprintf(name, sizeof name, "%s", pw->pw_name);
	else
		snprintf(name, sizeof name, "%lu", (unsigned long)geteuid());
	return name;
}
