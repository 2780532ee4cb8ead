/* help: what --help prints, derived from the tables of a program and from
 * nothing else.  All functions append to `out`; lines are 80 wide. */
#ifndef FSL_CLI_HELP_H
#define FSL_CLI_HELP_H

#include "base/str.h"
#include "cli/opt.h"
#include "cli/tool.h"

/* Two columns, with the environment variable and the default of each. */
void help_options(const struct opt *table, struct str *out);

/* "Usage: fsl-file import [OPTION]... FILE|-"; `v` NULL: of the program. */
void help_usage(const struct tool_program *p, const struct tool_verb *v,
		struct str *out);

/* Usage, what it does, verbs or options, the examples (for a verb those that
 * name it), the manual. */
void help_page(const struct tool_program *p, const struct tool_verb *v,
	       const struct opt *common, struct str *out);

/* All options, for --list-options (tool.h). */
void help_list(const struct tool_program *p, const struct opt *common,
	       struct str *out);

#endif
