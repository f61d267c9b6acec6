/* app_file.h - a real program as a workload, declared in a file.
 *
 * NAME.app has lines "key: value" and comments that begin with #.  README.md
 * of this folder says what the keys mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HEAPYARD_APP_FILE_H
#define HEAPYARD_APP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define APP_SUFFIX ".app"

enum {
    APP_LINE_MAX = 1024, /* bytes of a line */
    APP_NAME_MAX = 40,
    APP_TEXT_MAX = 400,
    APP_SETUP_MAX = 8192,
    APP_WORDS_MAX = 32 /* of a command */
};

/* Who puts the library into the program. */
enum app_preload {
    APP_PRELOAD_COMMAND, /* the whole command has it */
    APP_PRELOAD_SCRIPT   /* the command does, with $HEAPYARD_PRELOAD */
};

enum app_score {
    APP_SCORE_CPU,  /* user and system time of the command */
    APP_SCORE_WALL, /* its elapsed time */
    APP_SCORE_FILE  /* a number that it writes into the file `score` */
};

struct app {
    char name[APP_NAME_MAX];        /* of the file, without .app */
    char summary[APP_TEXT_MAX];     /* what it does */
    char source[APP_TEXT_MAX];      /* where the workload is from */
    char packages[APP_TEXT_MAX];    /* of Debian; words */
    char needs[APP_TEXT_MAX];       /* commands that must be in PATH; words */
    char program[APP_NAME_MAX];     /* whose allocations count: a command */
    char environment[APP_TEXT_MAX]; /* NAME=VALUE; words */
    char command[APP_TEXT_MAX];     /* words, no quoting */
    char setup[APP_SETUP_MAX];      /* a shell script, or "" */
    uint32_t version;               /* of this file: 1, 2, … */
    uint32_t timeout_s;
    enum app_preload preload;
    enum app_score score;
    char score_unit[16]; /* of APP_SCORE_FILE */
    uint32_t has_cksum;  /* 1: output must have these; 0: as without preload */
    uint32_t cksum;      /* of cksum(1) */
    uint64_t output_bytes;
};

/* Read one.  path is for messages, and its last part names the app.
 *
 * Returns 0, EINVAL and why "FILE:LINE: key = value (want …)", or EIO. */
int app_read(FILE *, const char *path, struct app *out, char *why,
             size_t why_size);

/* Open and read NAME.app in a folder, or, if name has a '/', that file.
 * Returns as app_read, or the errno of the file; ENOENT says where it looked.
 */
int app_find(const char *name, const char *folder, struct app *out, char *why,
             size_t why_size);

/* The apps of a folder by name: *names is a NULL-ended list, to be freed with
 * app_names_free.  Returns 0 or an errno. */
int app_names(const char *folder, char ***names);
void app_names_free(char **names);

/* Split at blanks, in place: word[max], NULL-ended.  Returns how many, or max
 * if they are too many. */
size_t app_words(char *text, char *word[], size_t max);

/* The checksum of cksum(1), by parts: begin with 0, end with app_cksum_end.
 * Source: POSIX.1-2017, cksum. */
uint32_t app_cksum(uint32_t sum, const void *bytes, size_t n);
uint32_t app_cksum_end(uint32_t sum, uint64_t total);

#endif
