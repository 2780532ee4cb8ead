# Minimal until the house is built; see CONTRIBUTING.md.
CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra
