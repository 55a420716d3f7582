#include "http/private.h"

bool http_client_is_idle(const struct http_connection *c)
{
	return c->sending == HTTP_NOTHING_DUE && c->asked_count == 0 &&
	       c->streams[HTTP_FROM_SERVER].reading == HTTP_AT_START;
}

void http_client_settle(struct http_connection *c)
{
	bool answered = c->asked_count == 0 && c->streams[HTTP_FROM_SERVER].reading == HTTP_AT_START;
	if (answered && c->last)
		http_over(c, NULL);
}
