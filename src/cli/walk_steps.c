#include "cli/walk.h"

#include "base/time.h"
#include "mapi/tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void say_port(struct step *s, uint16_t port)
{
	snprintf(s->address, sizeof s->address, ":%u", port);
}

/* ---- The steps. Each fills in what was seen. ---- */

static int walk_name(struct walk *w, struct step *s)
{
	const char *address;
	int r = mapiwire_find_host(w->m, &address);
	snprintf(s->address, sizeof s->address, "%s", r == 0 ? address : w->way->web_host);
	snprintf(w->host, sizeof w->host, "%s", s->address);
	return r;
}

static int map_one(struct walk *w, const char *name, uint16_t *port, char *what, size_t size)
{
	struct mapiwire_interface interface;
	if (mapiwire_interface_named(name, &interface) < 0)
		return MAPIWIRE_E_ARGUMENT;
	int r = mapiwire_map(w->m, &interface, port);
	size_t n = strlen(what);
	if (r == 0)
		snprintf(what + n, size - n, "%s%s %u", n ? ", " : "", name, *port);
	else if (r == MAPIWIRE_E_NOTFOUND)
		snprintf(what + n, size - n, "%s%s not registered", n ? ", " : "", name);
	return r;
}

/* Those that nobody has to be asked for. */
static int map_ports(struct walk *w)
{
	char told[64] = "";
	bool rpc = w->way->transport == MAPIWIRE_RPC_HTTP;
	int r = rpc ? map_one(w, "rfr", &w->rfr, told, sizeof told) : 0;
	if (r == 0)
		r = map_one(w, "nspi", &w->nspi, told, sizeof told);
	return r == 0 ? map_one(w, "store", &w->port, told, sizeof told) : r;
}

void walk_keep_error_of(struct walk *w, struct step *s, const struct mapiwire *m)
{
	const struct mapiwire_error *e = mapiwire_error(m);
	s->error = *e;
	s->error.sentence = arena_strdup(w->r->arena, e->sentence);
	s->error.attempt = arena_strdup(w->r->arena, e->attempt);
	if (!s->error.sentence || !s->error.attempt)
		s->error.sentence = s->error.attempt = "";
}

static void keep_error(struct walk *w, struct step *s)
{
	walk_keep_error_of(w, s, w->m);
}

/* ---- Another server than the one that was named ---- */

/*
 * A client for that server, whose address goes to host. *out stays NULL where it is the one that is walked to, by
 * another name. The step's error, if there is one, is kept.
 */
static int go_elsewhere(struct walk *w, struct step *s, const char *server, char host[64], struct mapiwire **out)
{
	const char *address = NULL;
	struct mapiwire *m = NULL;
	if (strcasecmp(server, w->way->host) == 0)
		return 0;
	int r = mapiwire_new_for(w->m, server, &m);
	if (r < 0)
		return r;
	r = mapiwire_find_host(m, &address);
	if (r < 0)
		walk_keep_error_of(w, s, m);
	/* Behind one proxy the names alone tell servers apart. */
	bool behind = w->way->transport == MAPIWIRE_RPC_HTTP;
	if (r < 0 || (!behind && strcmp(address, w->host) == 0))
		return mapiwire_free(&m) < 0 ? MAPIWIRE_E_FILE : r;
	snprintf(host, 64, "%.63s", behind ? server : address);
	s->host = host;
	*out = m;
	return 0;
}

/* What the web server lets this user do, and how long each part of getting there took. */
static int walk_web(struct walk *w, struct step *s)
{
	struct mapiwire_web_report *seen = &w->seen;
	char tls[16];
	say_port(s, w->way->web_port);
	int r = mapiwire_web_knock(w->m, seen);
	if (r < 0)
		return r;
	w->knocked = true;
	bool nobody = strcmp(seen->auth, "none") == 0;
	snprintf(s->what, sizeof s->what, "%s, %s%s", walk_tls_name(seen, tls),
	         nobody ? "nobody is asked for" : "log-on by ", nobody ? "" : walk_auth_name(seen->auth));
	return map_ports(w);
}

/* All three questions; the first that fails is the step's failure. */
static int walk_mapper(struct walk *w, struct step *s)
{
	const struct {
		const char *name;
		uint16_t *port;
	} wanted[] = {{"rfr", &w->rfr}, {"nspi", &w->nspi}, {"store", &w->port}};
	int first = 0;
	say_port(s, w->r->epm_port ? w->r->epm_port : 135);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int r = map_one(w, wanted[i].name, wanted[i].port, s->what, sizeof s->what);
		if (r < 0 && first == 0) {
			first = r;
			keep_error(w, s);
		}
		if (r < 0 && r != MAPIWIRE_E_NOTFOUND)
			break;
	}
	return first;
}

static int walk_referral(struct walk *w, struct step *s)
{
	char *server = NULL;
	say_port(s, w->rfr);
	int r = mapiwire_referral(w->m, w->rfr, "", &server);
	if (r == 0)
		snprintf(s->what, sizeof s->what, "address book: %s", server);
	if (r == 0)
		snprintf(w->book_server, sizeof w->book_server, "%s", server);
	free(server);
	return r;
}

static const char *text_of(const struct mapiwire_rows *rows, uint32_t tag)
{
	const struct mapiwire_value *v = mapiwire_row_find(rows, 0, tag);
	return v && v->text ? v->text : "";
}

static const uint32_t person_tags[] = {PidTagEmailAddress, PidTagDisplayName};

/* Who the mailbox's owner is, unless a DN says it already. */
static int resolve(struct walk *w, struct mapiwire_book *book, struct step *s)
{
	struct mapiwire_rows found;
	if (w->mailbox[0] == '/')
		return 0;
	int r = mapiwire_book_resolve(book, w->mailbox, person_tags, ARRAY_SIZE(person_tags), &found);
	if (r < 0)
		return r;
	w->dn = arena_strdup(w->r->arena, text_of(&found, PidTagEmailAddress));
	size_t n = strlen(s->what);
	snprintf(s->what + n, sizeof s->what - n, "%s; ", text_of(&found, PidTagDisplayName));
	mapiwire_rows_free(&found);
	return 0;
}

/* Then whether the list can be read. */
static int read_book(struct walk *w, struct mapiwire_book *book, struct step *s)
{
	struct mapiwire_rows first;
	unsigned total = 0;
	int r = resolve(w, book, s);
	if (r == 0)
		r = mapiwire_book_first(book, person_tags, ARRAY_SIZE(person_tags), 20, &first, &total);
	if (r < 0)
		return r;
	size_t n = strlen(s->what);
	snprintf(s->what + n, sizeof s->what - n, "%u %s", total, total == 1 ? "entry" : "entries");
	mapiwire_rows_free(&first);
	return 0;
}

/* Autodiscover may name another web server for the address book. */
static int go_to_book(struct walk *w, struct step *s)
{
	const struct mapiwire_web *web = &w->way->book_web;
	if (!web->host)
		return 0;
	snprintf(w->book_host, sizeof w->book_host, "%.60s", web->host);
	s->host = w->book_host;
	return mapiwire_new_over(w->m, web->host, MAPIWIRE_MAPI_HTTP, web, &w->book);
}

/* Where the referral leads, as Outlook goes: that server's mapper is asked for its address book. */
static int follow_referral(struct walk *w, struct step *s)
{
	struct mapiwire_interface nspi;
	if (w->way->transport == MAPIWIRE_MAPI_HTTP)
		return go_to_book(w, s);
	int r = *w->book_server ? go_elsewhere(w, s, w->book_server, w->book_host, &w->book) : 0;
	if (w->book)
		snprintf(s->what, sizeof s->what, "at %s: ", w->book_host);
	if (r == 0 && w->book)
		r = mapiwire_interface_named("nspi", &nspi) < 0 ? MAPIWIRE_E_ARGUMENT
		                                                : mapiwire_map(w->book, &nspi, &w->nspi);
	return r;
}

static int walk_book(struct walk *w, struct step *s)
{
	struct mapiwire_book *book = NULL;
	int r = follow_referral(w, s);
	struct mapiwire *m = w->book ? w->book : w->m;
	say_port(s, w->nspi);
	if (r == 0)
		r = mapiwire_book_open(m, w->nspi, &book);
	if (r == 0)
		r = read_book(w, book, s);
	if (r < 0 && !s->error.code)
		walk_keep_error_of(w, s, m);
	mapiwire_book_close(&book);
	return r;
}

/* Without an address book the mailbox's name can only be guessed, in the form that Exchange gives them. */
static void choose_dn(struct walk *w)
{
	if (w->dn && *w->dn)
		return;
	w->guessed = w->mailbox[0] != '/';
	w->dn = w->guessed
	                ? arena_printf(w->r->arena,
	                               "/o=%s/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=%s",
	                               w->r->domain, w->mailbox)
	                : arena_strdup(w->r->arena, w->mailbox);
}

/* Once, to the server that the log-on named. */
static int follow_home(struct walk *w, struct step *s)
{
	struct mapiwire_interface store;
	char server[256];
	snprintf(server, sizeof server, "%s", mapiwire_error(w->m)->server);
	keep_error(w, s);
	int r = go_elsewhere(w, s, server, w->home_host, &w->home);
	if (r < 0)
		snprintf(s->what, sizeof s->what, "sent on to %.100s: %s", server, cli_short_failure(&s->error));
	if (r < 0 || !w->home) {
		keep_error(w, s); /* what is wrong is where the log-on leads */
		return MAPIWIRE_E_STATUS;
	}
	s->error.code = 0;
	snprintf(s->what, sizeof s->what, "sent on to %.100s; ", server);
	if (mapiwire_interface_named("store", &store) < 0)
		return MAPIWIRE_E_ARGUMENT;
	r = mapiwire_map(w->home, &store, &w->port);
	say_port(s, w->port);
	if (r == 0)
		r = mapiwire_store_open(w->home, w->port, w->dn, &w->store);
	if (r < 0)
		walk_keep_error_of(w, s, w->home);
	return r;
}

static int walk_store(struct walk *w, struct step *s)
{
	say_port(s, w->port);
	choose_dn(w);
	if (!w->dn)
		return MAPIWIRE_E_MEMORY;
	int r = mapiwire_store_open(w->m, w->port, w->dn, &w->store);
	if (r < 0 && *mapiwire_error(w->m)->server)
		r = follow_home(w, s);
	else if (r < 0)
		keep_error(w, s);
	size_t n = strlen(s->what);
	if (r == 0)
		snprintf(s->what + n, sizeof s->what - n, "logged on%s", w->guessed ? " (mailbox's DN guessed)" : "");
	else if (w->guessed && strcmp(s->error.cause, "unknown-mailbox") == 0)
		snprintf(s->what, sizeof s->what, "unknown mailbox; its DN was guessed");
	if (r == 0 && w->r->chosen < MAPIWIRE_LEVEL_PRIVACY)
		w->encryption = NOT_REQUIRED;
	if (r < 0 && strcmp(s->error.cause, "encryption-required") == 0)
		w->encryption = REQUIRED;
	return r;
}

/* The client whose server has the mailbox. */
static struct mapiwire *home(const struct walk *w)
{
	return w->home ? w->home : w->m;
}

static int walk_inbox(struct walk *w, struct step *s)
{
	static const uint32_t tags[] = {PidTagMid,         PidTagSubject,
	                                PidTagSenderName,  PidTagMessageDeliveryTime,
	                                PidTagMessageSize, PidTagMessageFlags};
	struct mapiwire_table *table = NULL;
	struct mapiwire_rows rows = {0};
	int r = mapiwire_folder_find(w->store, "inbox", &w->inbox);
	if (r == 0)
		r = mapiwire_table_open(w->store, w->inbox, MAPIWIRE_MESSAGES, tags, ARRAY_SIZE(tags),
		                        PidTagMessageDeliveryTime, true, &table);
	if (r == 0)
		r = mapiwire_table_read(table, 20, &rows);
	if (r < 0)
		walk_keep_error_of(w, s, home(w));
	else if (rows.count == 0)
		snprintf(s->what, sizeof s->what, "empty");
	else
		snprintf(s->what, sizeof s->what, "first %zu of %u rows", rows.count, mapiwire_table_count(table));
	mapiwire_table_close(&table);
	mapiwire_rows_free(&rows);
	return r;
}

/* Writes the inbox's comment back as it is. */
static int change(struct mapiwire_store *store, uint64_t inbox, int64_t *sent_ns)
{
	static const uint32_t tags[] = {PidTagComment};
	struct mapiwire_rows rows = {0};
	int r = mapiwire_folder_get(store, inbox, tags, ARRAY_SIZE(tags), &rows);
	if (r < 0)
		return r;
	const struct mapiwire_value value = {.tag = PidTagComment, .text = text_of(&rows, PidTagComment)};
	*sent_ns = time_monotonic_ns();
	r = mapiwire_folder_set(store, inbox, &value, 1);
	mapiwire_rows_free(&rows);
	return r;
}

/* Waits for the change of that folder; others pass by. */
static int wait_for(struct walk *w, struct mapiwire_watch *watch, int64_t sent_ns, int64_t *woken_ns)
{
	struct mapiwire_event event;
	unsigned ms = w->r->timeout_ns ? (unsigned)(w->r->timeout_ns / NS_PER_MS) : 10000;
	int r;
	do
		r = mapiwire_watch_next(watch, ms, &event);
	while (r == 0 && (event.folder != w->inbox || event.woken_ns < sent_ns));
	if (r == 0)
		*woken_ns = event.woken_ns;
	return r;
}

static int walk_notification(struct walk *w, struct step *s)
{
	struct mapiwire_watch *watch = NULL;
	struct mapiwire_store *second = NULL;
	int64_t sent = 0, woken = 0;
	say_port(s, w->port);
	s->host = w->home ? w->home_host : NULL;
	int r = mapiwire_watch_open(w->store, w->inbox, MAPIWIRE_MODIFIED, &watch);
	if (r == 0)
		r = mapiwire_store_open(home(w), w->port, w->dn, &second);
	if (r == 0)
		r = change(second, w->inbox, &sent);
	if (r == 0)
		r = wait_for(w, watch, sent, &woken);
	if (r < 0)
		walk_keep_error_of(w, s, home(w));
	else
		snprintf(s->what, sizeof s->what, "parked, woken after %.1f ms",
		         (double)(woken - sent) / (double)NS_PER_MS);
	mapiwire_store_close(&second);
	mapiwire_watch_close(&watch);
	return r;
}

int (*const walk_steps[STEPS])(struct walk *w, struct step *s) = {
        [NAME] = walk_name, [MAPPER] = walk_mapper, [WEB] = walk_web,     [REFERRAL] = walk_referral,
        [BOOK] = walk_book, [STORE] = walk_store,   [INBOX] = walk_inbox, [NOTIFICATION] = walk_notification,
};
