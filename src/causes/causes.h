#ifndef MW_CAUSES_CAUSES_H
#define MW_CAUSES_CAUSES_H

/*
 * One table of what can be wrong between an Outlook and its server: used by
 * `mapiwire walk`, by the lens' findings and by the server's log, so that the
 * three say the same. Rows stand in causes.c.
 */
enum cause {
	CAUSE_NONE,
	CAUSE_NAME_NOT_FOUND,           /* DNS has no such host */
	CAUSE_PORT_REFUSED,             /* RST to the SYN on a fixed port */
	CAUSE_PORT_FILTERED,            /* no answer to the SYN */
	CAUSE_DYNAMIC_PORT_BLOCKED,     /* handed out by the mapper, no answer there */
	CAUSE_DYNAMIC_PORT_REFUSED,     /* handed out by the mapper, nothing listens there */
	CAUSE_NOT_RPC,                  /* something answers, but not RPC */
	CAUSE_INTERFACE_NOT_REGISTERED, /* the mapper does not know it */
	CAUSE_INTERFACE_REFUSED,        /* bind: abstract syntax not supported */
	CAUSE_BIND_REFUSED,             /* bind_nak */
	CAUSE_AUTH_TYPE_REFUSED,        /* authentication type not recognised */
	CAUSE_CREDENTIALS_REFUSED,      /* wrong user or password */
	CAUSE_ACCOUNT_LOCKED,
	CAUSE_CLOCK_SKEW,
	CAUSE_ANONYMOUS_REFUSED,   /* anonymous NspiBind refused; Outlook retries with NTLM */
	CAUSE_ENCRYPTION_REQUIRED, /* ecNotEncrypted */
	CAUSE_UNKNOWN_MAILBOX,     /* ecUnknownUser: the DN is not in the directory */
	CAUSE_NO_MAILBOX_ACCESS,   /* ecLoginPerm, ecLoginFailure */
	CAUSE_WRONG_SERVER,        /* the mailbox lives elsewhere */
	CAUSE_CLIENT_VERSION_BLOCKED,
	CAUSE_SERVER_BUSY,
	CAUSE_NO_ANSWER,       /* a call was sent, no answer in time */
	CAUSE_CONNECTION_LOST, /* reset or closed in the middle */
	CAUSE_BAD_SIGNATURE,   /* a response's signature does not verify */
	CAUSE_PROTOCOL_ERROR,  /* the peer broke the protocol */
	CAUSE_CALL_FAILED,     /* a call answered with an error not listed here */
	CAUSE_NO_NOTIFICATION, /* a change was made, the parked call did not return */
	CAUSE_FOLDER_NOT_FOUND,
	CAUSE_ACCOUNT_EXPIRED,
	CAUSE_WRONG_SERVICE, /* a ticket for a service that the server has no key of */
	/* What only a look at the traffic shows */
	CAUSE_NOT_ENCRYPTED,            /* the store used below privacy */
	CAUSE_MAILBOX_IN_TRANSIT,       /* ecMailboxInTransit */
	CAUSE_SERVICE_NAME_UNKNOWN,     /* the KDC has no such service */
	CAUSE_PASSWORD_EXPIRED,         /* the KDC wants a new one */
	CAUSE_SLOW_SERVER,              /* the average of its calls, and most of it in the server */
	CAUSE_SLOW_NETWORK,             /* the same, most of it on the way */
	CAUSE_CALL_WAITS,               /* one call so long that Outlook tells its user */
	CAUSE_SEGMENTS_LOST,            /* sent again, time lost */
	CAUSE_ZERO_WINDOW,              /* a side that does not read */
	CAUSE_IDLE_CUT,                 /* cut after a silence */
	CAUSE_NOTIFICATION_NOT_FETCHED, /* told of news, never asked for it */
	CAUSE_ROP_FAILS,                /* the same one with the same error, again and again */
	CAUSE_ROP_UNKNOWN,              /* the server does not have it, and the client goes on */
	CAUSE_CANCELLED,                /* given up by whoever asked */
	CAUSE_NO_TICKET,                /* no ticket cache, and no password */
	CAUSE_TICKET_EXPIRED,           /* one, but too old */
	CAUSE_KDC_UNREACHABLE,          /* nobody to get one from */
	CAUSE_TICKET_REFUSED,           /* the server did not say why */
	CAUSE_NO_AUTODISCOVER,          /* no try of it found settings */
	CAUSE_NO_TCP,                   /* it found some, without RPC over TCP */
	CAUSE_TLS_FAILED,               /* no TLS could be agreed on */
	CAUSE_CERTIFICATE_UNTRUSTED,
	CAUSE_NOT_HTTP,          /* something answers, but not HTTP */
	CAUSE_HTTP_STATUS,       /* a web server's answer that is no success */
	CAUSE_PASSWORD_WITHHELD, /* only Basic is offered, by who has not proved who it is */
	CAUSE_RPC_PROXY_REFUSED, /* a proxy of RPC over HTTP that does not reach the server */
	CAUSE_SESSION_GONE,      /* MAPI over HTTP: expired, or the cookies were lost */
	CAUSE_NOT_MAPI_HTTP,     /* a web page instead */
	CAUSE_CHANNEL_NOT_BOUND, /* a log-on bound to another TLS channel, or to none */
	CAUSE_WEB_REDIRECT,      /* 3xx: not followed with a password */
	CAUSE_WEB_FORBIDDEN,     /* 403 */
	CAUSE_WEB_UNAVAILABLE,   /* 502, 503, 504 */
	CAUSE_NOT_OFFERED,       /* Autodiscover found settings, without this transport */
	/* Proxies in the way of long requests */
	CAUSE_HTTP_CHANNEL_REFUSED,
	CAUSE_HTTP_BUFFERED,
	CAUSE_HTTP_CHANNEL_CUT,
	CAUSE_HTTP_IDLE_TIMEOUT,
	CAUSE_AUTODISCOVER_TICKET_REFUSED,
	CAUSE_COUNT,
};

struct cause_row {
	const char *id;       /* "dynamic-port-blocked"; stable, in JSON */
	const char *sentence; /* what is wrong, with markers: %s the detail (port, name), {mapper}, {setting} */
	const char *attempt;  /* what to try, likewise */
	int exit_code;        /* of the commands that stop on it; documented in the manual */
};

/* The row of a cause; never NULL. */
const struct cause_row *cause_get(enum cause cause);

#define CAUSE_TEXT_SIZE 320
/* What the markers stand for; NULL: nothing, 135, all settings that there are. */
struct cause_about {
	const char *detail;
	const char *mapper_port;
	const char *setting; /* which fixes the port of the service in question */
};
/* Both texts with the markers filled in. */
void cause_explain(enum cause cause, const struct cause_about *about, char sentence[CAUSE_TEXT_SIZE],
                   char attempt[CAUSE_TEXT_SIZE]);

/* The cause that a status stands for (MAPI, fault, NTSTATUS, bind_nak codes differ by family). */
enum cause_family { CAUSE_OF_MAPI, CAUSE_OF_FAULT, CAUSE_OF_BIND_NAK, CAUSE_OF_PROVIDER, CAUSE_OF_EPM };
enum cause cause_of_status(enum cause_family family, unsigned status);

#endif
