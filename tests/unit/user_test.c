/* user: the name of whoever runs the process. */
#include <stdlib.h>

#include "base/user.h"
#include "unit/unit.h"

int main(void)
{
	setenv("FSL_USER", "night-shift", 1);
	CHECK_STR(user_name(), "night-shift", "FSL_USER names the user");
	setenv("FSL_USER", "other", 1);
	CHECK_STR(user_name(), "night-shift", "the name does not change while a process runs");
	return unit_done();
}
