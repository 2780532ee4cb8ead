/* version: of all programs, in one place. */
#ifndef FSL_CLI_VERSION_H
#define FSL_CLI_VERSION_H

#define FSL_VERSION "0.1.0"

#endif
