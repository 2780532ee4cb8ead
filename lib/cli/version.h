/* version: what --version prints and User-Agent says. */
#ifndef FSL_CLI_VERSION_H
#define FSL_CLI_VERSION_H

#define FSL_VERSION "0.1.0"

#endif
