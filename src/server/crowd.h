#ifndef MW_SERVER_CROWD_H
#define MW_SERVER_CROWD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who goes when there is not room for all. Connections on which no user has proved who he is (strangers; an anonymous
 * logon proves nothing) have a ceiling in all, an equal share of it each loop: beyond it goes who holds most, by powers
 * of two, and of these who was silent longest. Beyond the most connections goes the stranger who was silent longest,
 * and a known one only where there is no stranger. Each of these takes the same time for ten connections and for ten
 * thousand.
 */
struct server_loop;
struct server_stream;

/* A connection's place; embedded in it. */
struct crowd_place {
	struct server_stream *before, *after;
	int64_t since_ns; /* last_ns when it took the place */
	size_t held;      /* as it counts for the ceiling */
	uint8_t rank;
	bool known;
};

#define CROWD_RANKS 26 /* 0: known; 1: strangers below 2 KiB; then one for each power of two */

/* Of a loop. Who was silent longest comes first, to within a second. */
struct crowd {
	struct server_stream *first[CROWD_RANKS], *last[CROWD_RANKS];
	size_t held, most;           /* by strangers */
	unsigned silent_ones, heavy; /* let go since the last line of the log */
	int64_t told_ns;
};

void crowd_add(struct server_stream *s);
void crowd_remove(struct server_stream *s);
/* It was heard from, or what it holds may have changed. */
void crowd_note(struct server_stream *s);
/* A user is known on it. */
void crowd_know(struct server_stream *s);
/* Closes connections until the ceiling holds, it may be the one at hand; not inside a feed. */
void crowd_hold(struct server_loop *loop);
/* Closes one. */
void crowd_make_room(struct server_loop *loop);
/* Says what was closed, once a second at most. */
void crowd_tell(struct server_loop *loop, int64_t now_ns);

#endif
