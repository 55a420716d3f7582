#include "causes/causes.h"

#include <stdio.h>
#include <string.h>

/* Exit codes: 1 is a usage mistake or a broken file, 2 an unexpected error; these name the causes. */
static const struct cause_row rows[CAUSE_COUNT] = {
        [CAUSE_NONE] = {"none", "Nothing is wrong.", "Nothing to do.", 0},
        [CAUSE_NAME_NOT_FOUND] = {"name-not-found", "The name %s does not resolve to an address.",
                                  "Check the spelling and the DNS server that this machine asks.", 10},
        [CAUSE_PORT_REFUSED] = {"port-refused", "Nothing listens on port %s; the machine itself answers.",
                                "Start the server there, or give the right port.", 11},
        [CAUSE_PORT_FILTERED] = {"port-filtered",
                                 "No answer on port %s. A firewall, most likely, or the machine is off.",
                                 "Open the port on the way to the server, and check that the machine is up.", 12},
        [CAUSE_DYNAMIC_PORT_REFUSED] = {"dynamic-port-refused", "The mapper hands out %s, but nothing listens there.",
                                        "Restart the service behind it, so that it registers its port anew.", 13},
        [CAUSE_DYNAMIC_PORT_BLOCKED] =
                {"dynamic-port-blocked",
                 "The mapper hands out %s, but nothing answers there; {mapper} does. A firewall, most likely.",
                 "Open %s, or fix the port ({setting}).", 14},
        [CAUSE_NOT_RPC] = {"not-rpc", "Port %s answers, but not with RPC.",
                           "Give the port of the endpoint mapper; another program listens on this one.", 15},
        [CAUSE_INTERFACE_NOT_REGISTERED] = {"interface-not-registered",
                                            "The endpoint mapper answers, but has no %s registered.",
                                            "Start that service, or ask the server that holds this role.", 16},
        [CAUSE_INTERFACE_REFUSED] = {"interface-refused", "The server there does not offer the interface of the %s.",
                                     "Another service has taken the port: look at what the mapper hands out.", 17},
        [CAUSE_BIND_REFUSED] = {"bind-refused", "The server refused the connection's bind: %s.",
                                "Look at the server's log; a proxy or an older server may be in between.", 18},
        [CAUSE_AUTH_TYPE_REFUSED] = {"auth-type-refused", "The server does not take this kind of authentication%s.",
                                     "Allow it on the server (Kerberos needs --keytab), or use one that it allows.",
                                     19},
        [CAUSE_CREDENTIALS_REFUSED] =
                {"credentials-refused", "The server refused the user name or password%s.",
                 "Check user, domain and password; a new password may not have reached this server.", 20},
        [CAUSE_ACCOUNT_LOCKED] = {"account-locked", "The account is locked or disabled.", "Unlock it in the directory.",
                                  21},
        [CAUSE_CLOCK_SKEW] = {"clock-skew", "The clocks of client and server are too far apart.",
                              "Set both by the same time server.", 22},
        [CAUSE_ANONYMOUS_REFUSED] = {"anonymous-refused", "Anonymous access was refused, as it should be.",
                                     "Log on as a user; nothing to do when a retry with one succeeds.", 23},
        [CAUSE_ENCRYPTION_REQUIRED] =
                {"encryption-required", "The server takes store connections only with encryption (ecNotEncrypted).",
                 "Switch on \"Encrypt data between Outlook and Exchange\", or allow plain connections on the server.",
                 24},
        [CAUSE_UNKNOWN_MAILBOX] = {"unknown-mailbox", "The server knows no mailbox %s.",
                                   "Check the name; the mailbox may have been moved, renamed or not yet created.", 25},
        [CAUSE_NO_MAILBOX_ACCESS] = {"no-mailbox-access", "The user may not open this mailbox.",
                                     "Give the user the right to it, or log on as its owner.", 26},
        [CAUSE_WRONG_SERVER] = {"wrong-server", "The mailbox is on another server%s.",
                                "Point the profile at that server, or repair the referral.", 27},
        [CAUSE_CLIENT_VERSION_BLOCKED] = {"client-version-blocked", "The server blocks this client's version%s.",
                                          "Update the client, or allow its version on the server.", 28},
        [CAUSE_SERVER_BUSY] = {"server-busy", "The server is too busy and asks to come back later%s.",
                               "Wait; if it stays so, look for throttling or load on the server.", 29},
        [CAUSE_NO_ANSWER] = {"no-answer", "The server took the call and did not answer%s in time.",
                             "Look at the server's load and log; raise --timeout to see whether it answers late.", 30},
        [CAUSE_CONNECTION_LOST] = {"connection-lost", "The connection was cut in the middle%s.",
                                   "Look for a firewall, a proxy or a crash on the way to the server.", 31},
        [CAUSE_BAD_SIGNATURE] = {"bad-signature", "An answer's signature does not verify: it was changed on the way.",
                                 "Find what sits in between; do not send passwords over this path.", 32},
        [CAUSE_PROTOCOL_ERROR] = {"protocol-error", "The server broke the protocol: %s.",
                                  "Keep the conversation with -w and report it to the server's makers.", 33},
        [CAUSE_CALL_FAILED] = {"call-failed", "The server answered with an error: %s.",
                               "Look the code up in the server's log at this time.", 34},
        [CAUSE_NO_NOTIFICATION] = {"no-notification", "A change was made, but the parked call did not return.",
                                   "Look for a proxy that cuts or holds long calls.", 35},
        [CAUSE_FOLDER_NOT_FOUND] = {"folder-not-found", "The mailbox has no folder %s.",
                                    "Check the name: display names below the top, with / between them.", 36},
        [CAUSE_ACCOUNT_EXPIRED] = {"account-expired", "The account has expired.",
                                   "Give it a later end in the directory.", 37},
        [CAUSE_WRONG_SERVICE] = {"wrong-service", "The server has no key for the service that the ticket is for.",
                                 "Put that service into the server's keytab, or use the name that is in it.", 38},
        [CAUSE_NOT_ENCRYPTED] = {"not-encrypted",
                                 "The store is used without encryption%s: mail can be read on the way.",
                                 "Switch on \"Encrypt data between Outlook and Exchange\", and require it on the "
                                 "server (--encryption required).",
                                 39},
        [CAUSE_MAILBOX_IN_TRANSIT] = {"mailbox-in-transit", "The mailbox is being moved to another server.",
                                      "Wait until the move is done; the client then asks for its new server.", 40},
        [CAUSE_SERVICE_NAME_UNKNOWN] = {"service-name-unknown",
                                        "The KDC knows no service of the name that a ticket was asked for%s.",
                                        "Register the name for the account that the server runs as (setspn), or "
                                        "use the name that is registered.",
                                        41},
        [CAUSE_PASSWORD_EXPIRED] = {"password-expired", "The password has expired.",
                                    "Set a new one; the KDC gives no ticket until then.", 42},
        [CAUSE_SLOW_SERVER] = {"slow-server", "The server is slow: %s.",
                               "Look at the server's disks, memory and load at this time; --stats names the methods.",
                               43},
        [CAUSE_SLOW_NETWORK] = {"slow-network", "The network is slow: %s.",
                                "Look at the way to the server (VPN, Wi-Fi, a far site); Outlook's cached mode hides "
                                "some of it.",
                                44},
        [CAUSE_CALL_WAITS] = {"call-waits", "Outlook's user had to wait: %s.",
                              "See which call it was (--tree FRAME), and look at the server at that time.", 45},
        [CAUSE_SEGMENTS_LOST] = {"segments-lost", "The network loses segments: %s.",
                                 "Look for a full line, Wi-Fi, a bad cable or a duplex mismatch on the way.", 46},
        [CAUSE_ZERO_WINDOW] = {"zero-window", "%s.",
                               "Look at that machine: its program is stuck or overloaded; the network is not to blame.",
                               47},
        [CAUSE_IDLE_CUT] = {"idle-cut", "A connection was cut after a silence: %s.",
                            "Raise the idle timeout of firewall and load balancer, or let the client's TCP keep alive "
                            "more often than that (Windows: KeepAliveTime).",
                            48},
        [CAUSE_NOTIFICATION_NOT_FETCHED] =
                {"notification-not-fetched", "The server told of news, and the client did not fetch it%s.",
                 "Restart the client; if it stays so, look for a proxy that delays or drops its calls.", 49},
        [CAUSE_ROP_FAILS] = {"rop-fails", "The same operation fails again and again: %s.",
                             "Look the code up, and see what it is asked for (--tree FRAME); an add-in of the client "
                             "is often behind it.",
                             50},
        [CAUSE_ROP_UNKNOWN] = {"rop-unknown", "The server does not have an operation that the client needs: %s.",
                               "Update the server, or find the client's feature or add-in that asks for it.", 51},
        [CAUSE_CANCELLED] = {"cancelled", "The call was cancelled%s.", "Nothing to do, unless nobody meant to.", 52},
        [CAUSE_NO_TICKET] = {"no-ticket", "There is no Kerberos ticket to log on with%s.",
                             "Get one with kinit, name its cache (--ccache), or log on with -U and a password.", 53},
        [CAUSE_TICKET_EXPIRED] = {"ticket-expired", "The Kerberos ticket has expired%s.",
                                  "Get a new one with kinit; when it is new, set the clocks.", 54},
        [CAUSE_KDC_UNREACHABLE] = {"kdc-unreachable", "No KDC of the realm can be found or reached%s.",
                                   "Check the realm in krb5.conf or --realm, and port 88 on the way to the KDC.", 55},
        [CAUSE_TICKET_REFUSED] = {"ticket-refused",
                                  "The server refused the Kerberos ticket for %s and does not say why.",
                                  "Compare the server's keytab with the KDC's key for that name, and the clocks; the "
                                  "server must know the user, too.",
                                  56},
        [CAUSE_NO_AUTODISCOVER] = {"no-autodiscover", "Autodiscover found no settings for %s.",
                                   "The tries above say why, one by one; ask one server with --server HOST:PORT.", 57},
        [CAUSE_NO_TCP] = {"no-tcp", "Autodiscover's settings for %s name no server of RPC over TCP (EXCH).",
                          "Walk to the server itself: mapiwire walk HOST.", 58},
        [CAUSE_TLS_FAILED] = {"tls-failed", "No TLS could be agreed on with %s.",
                              "Check that the port is HTTPS's and takes TLS 1.2 or 1.3; a proxy may be in between.",
                              59},
        [CAUSE_CERTIFICATE_UNTRUSTED] =
                {"certificate-untrusted", "The certificate of %s.",
                 "Name its authority with --ca-file, use the name that is in it, or look without trust: --insecure.",
                 60},
        [CAUSE_NOT_HTTP] = {"not-http", "Port %s answers, but not with HTTP.",
                            "Give the web server's port; another program listens on this one.", 61},
        [CAUSE_HTTP_STATUS] = {"http-status", "The web server answered %s.",
                               "Check that the path exists there, and look into the logs of it and of proxies.", 62},
        [CAUSE_PASSWORD_WITHHELD] =
                {"password-withheld",
                 "The password was not sent: %s wants it as it is (Basic), and has not proved who it is.",
                 "Use TLS and a certificate that can be verified (--ca-file), not --insecure.", 63},
        [CAUSE_RPC_PROXY_REFUSED] = {"rpc-proxy-refused", "The RPC proxy does not connect to %s.",
                                     "Check the server's name as the proxy knows it, and that it allows this port.",
                                     64},
        [CAUSE_SESSION_GONE] = {"session-gone", "The server does not know the session any more%s.",
                                "Open it again; if it stays so, look for restarts of the server, or a proxy that "
                                "drops cookies or changes servers within a session.",
                                65},
        [CAUSE_NOT_MAPI_HTTP] = {"not-mapi-http", "The web server answers at %s, but not with MAPI over HTTP.",
                                 "Switch MAPI over HTTP on there, or look for a log-on page or a proxy in between; "
                                 "another transport may be offered.",
                                 66},
        [CAUSE_CHANNEL_NOT_BOUND] =
                {"channel-not-bound",
                 "The log-on is bound to another TLS channel than this one, or to none where the server asks for it.",
                 "Look for what opens TLS on the way (a proxy, or an attacker); a client that binds nothing needs "
                 "--channel-binding optional.",
                 70},
        [CAUSE_WEB_REDIRECT] = {"web-redirect", "The web server answered %s.",
                                "Go there instead, or let Autodiscover find it: mapiwire walk ADDRESS.", 67},
        [CAUSE_WEB_FORBIDDEN] = {"web-forbidden", "The web server lets nobody in: it answered %s.",
                                 "Look at the rules for this path, of the server and of proxies: addresses, groups, "
                                 "certificates of clients.",
                                 68},
        [CAUSE_WEB_UNAVAILABLE] = {"web-unavailable", "The web server, or a proxy in its place, cannot answer now: %s.",
                                   "Start what is behind it, and look into its log; if it runs, look at its load.", 69},
        [CAUSE_NOT_OFFERED] = {"not-offered", "Autodiscover found settings for %s.",
                               "Switch it on at the server, or take another way: --transport, --all.", 71},
        [CAUSE_HTTP_CHANNEL_REFUSED] = {"http-channel-refused",
                                        "Something on the way does not let RPC over HTTP pass: %s.",
                                        "Let proxies pass RPC_IN_DATA and RPC_OUT_DATA and requests of a gigabyte "
                                        "(nginx: client_max_body_size 0).",
                                        72},
        [CAUSE_HTTP_BUFFERED] =
                {"http-buffered", "A proxy holds back what goes through an HTTP channel: %s.",
                 "Let it pass on at once what comes (nginx: proxy_buffering off, proxy_request_buffering off).", 73},
        [CAUSE_HTTP_CHANNEL_CUT] =
                {"http-channel-cut", "Something on the way, or the server, ended an HTTP channel in use: %s.",
                 "Look for limits on the time and size of a request in the proxies on the way, and for a restart.", 74},
        [CAUSE_HTTP_IDLE_TIMEOUT] =
                {"http-idle-timeout", "An idle timeout on the way is shorter than the keep-alives: %s.",
                 "Raise it for /rpc/ and /mapi/ above the server's keep-alives (nginx: proxy_read_timeout, "
                 "proxy_send_timeout; HAProxy: timeout client, server).",
                 75},
        [CAUSE_AUTODISCOVER_TICKET_REFUSED] =
                {"autodiscover-ticket-refused",
                 "Autodiscover's server took no Kerberos ticket%s: there is none for its name (HTTP/HOST), it was "
                 "refused, or the server wants it bound to the TLS channel.",
                 "Look with klist whether there is a ticket for HTTP/HOST, and into the server's log; where it wants "
                 "channels bound (0xC000035B) walk to it by its name, mapiwire walk HOST, or with -U and a password.",
                 76},
};

const struct cause_row *cause_get(enum cause cause)
{
	return &rows[(unsigned)cause < CAUSE_COUNT ? cause : CAUSE_NONE];
}

/* n bytes of UTF-8 without the start of a character that is cut off at their end. */
static size_t whole_characters(const char *s, size_t n)
{
	size_t lead = n;
	while (lead > 0 && ((unsigned char)s[lead - 1] & 0xC0) == 0x80)
		lead--;
	if (lead == 0)
		return n;
	unsigned char c = (unsigned char)s[lead - 1];
	size_t size = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
	return n - (lead - 1) < size ? lead - 1 : n;
}

/* Copies text with what the markers stand for. Cut to fit, never in the middle of a character. */
static void fill(const char *text, const struct cause_about *about, char out[CAUSE_TEXT_SIZE])
{
	const struct {
		const char *marker, *value;
	} parts[] = {
	        {"%s", about->detail ? about->detail : ""},
	        {"{mapper}", about->mapper_port ? about->mapper_port : "135"},
	        {"{setting}", about->setting
	                              ? about->setting
	                              : "--rfr-port, --nspi-port, --store-port; on Exchange the service's RpcTcpPort"},
	};
	size_t n = 0;
	while (*text && n < CAUSE_TEXT_SIZE - 1) {
		const char *value = NULL;
		for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !value; i++)
			if (strncmp(text, parts[i].marker, strlen(parts[i].marker)) == 0) {
				value = parts[i].value;
				text += strlen(parts[i].marker);
			}
		if (!value) {
			out[n++] = *text++;
			continue;
		}
		int written = snprintf(out + n, CAUSE_TEXT_SIZE - n, "%s", value);
		n += (size_t)written < CAUSE_TEXT_SIZE - n ? (size_t)written : CAUSE_TEXT_SIZE - 1 - n;
	}
	n = whole_characters(out, n);
	out[n] = 0;
}

void cause_explain(enum cause cause, const struct cause_about *about, char sentence[CAUSE_TEXT_SIZE],
                   char attempt[CAUSE_TEXT_SIZE])
{
	const struct cause_row *row = cause_get(cause);
	fill(row->sentence, about, sentence);
	fill(row->attempt, about, attempt);
}

struct status_row {
	enum cause_family family;
	unsigned status;
	enum cause cause;
};

/* [MS-OXCDATA] 2.4, [MS-OXCSTOR] 3.2.5.1.3, [MS-RPCE] 2.2.2.5, C706 appendix E, [MS-ERREF] */
static const struct status_row statuses[] = {
        {CAUSE_OF_MAPI, 0x00000970, CAUSE_ENCRYPTION_REQUIRED},     /* ecNotEncrypted */
        {CAUSE_OF_MAPI, 0x80040111, CAUSE_CREDENTIALS_REFUSED},     /* MAPI_E_LOGON_FAILED, ecLoginFailure */
        {CAUSE_OF_MAPI, 0x80070005, CAUSE_NO_MAILBOX_ACCESS},       /* ecAccessDenied */
        {CAUSE_OF_MAPI, 0x000003F2, CAUSE_NO_MAILBOX_ACCESS},       /* ecLoginPerm */
        {CAUSE_OF_MAPI, 0x000003EB, CAUSE_UNKNOWN_MAILBOX},         /* ecUnknownUser */
        {CAUSE_OF_MAPI, 0x00000478, CAUSE_WRONG_SERVER},            /* ecWrongServer */
        {CAUSE_OF_MAPI, 0x80040110, CAUSE_CLIENT_VERSION_BLOCKED},  /* ecVersionMismatch */
        {CAUSE_OF_MAPI, 0x000004DF, CAUSE_CLIENT_VERSION_BLOCKED},  /* ecClientVerDisallowed */
        {CAUSE_OF_MAPI, 0x00000480, CAUSE_SERVER_BUSY},             /* ecServerBusy */
        {CAUSE_OF_MAPI, 0x0000050C, CAUSE_MAILBOX_IN_TRANSIT},      /* ecMailboxInTransit */
        {CAUSE_OF_MAPI, 0x0000047F, CAUSE_SERVER_BUSY},             /* ecServerPaused */
        {CAUSE_OF_FAULT, 0x00000005, CAUSE_CREDENTIALS_REFUSED},    /* access denied */
        {CAUSE_OF_FAULT, 0x00000721, CAUSE_CREDENTIALS_REFUSED},    /* a security package error */
        {CAUSE_OF_FAULT, 0xC000006D, CAUSE_CREDENTIALS_REFUSED},    /* STATUS_LOGON_FAILURE */
        {CAUSE_OF_FAULT, 0xC0000234, CAUSE_ACCOUNT_LOCKED},         /* STATUS_ACCOUNT_LOCKED_OUT */
        {CAUSE_OF_FAULT, 0xC0000072, CAUSE_ACCOUNT_LOCKED},         /* STATUS_ACCOUNT_DISABLED */
        {CAUSE_OF_FAULT, 0xC0000193, CAUSE_ACCOUNT_EXPIRED},        /* STATUS_ACCOUNT_EXPIRED */
        {CAUSE_OF_FAULT, 0xC0000133, CAUSE_CLOCK_SKEW},             /* STATUS_TIME_DIFFERENCE_AT_DC */
        {CAUSE_OF_FAULT, 0xC000035B, CAUSE_CHANNEL_NOT_BOUND},      /* STATUS_BAD_BINDINGS */
        {CAUSE_OF_FAULT, 0xC0000322, CAUSE_WRONG_SERVICE},          /* STATUS_NO_KERB_KEY */
        {CAUSE_OF_FAULT, 0x80090303, CAUSE_SERVICE_NAME_UNKNOWN},   /* SEC_E_TARGET_UNKNOWN */
        {CAUSE_OF_FAULT, 0x8009030E, CAUSE_NO_TICKET},              /* SEC_E_NO_CREDENTIALS */
        {CAUSE_OF_FAULT, 0x80090317, CAUSE_TICKET_EXPIRED},         /* SEC_E_CONTEXT_EXPIRED */
        {CAUSE_OF_FAULT, 0xC000005E, CAUSE_KDC_UNREACHABLE},        /* STATUS_NO_LOGON_SERVERS */
        {CAUSE_OF_FAULT, 0xC0000071, CAUSE_PASSWORD_EXPIRED},       /* STATUS_PASSWORD_EXPIRED */
        {CAUSE_OF_FAULT, 0xC0000418, CAUSE_AUTH_TYPE_REFUSED},      /* STATUS_NTLM_BLOCKED */
        {CAUSE_OF_FAULT, 0x1C010014, CAUSE_SERVER_BUSY},            /* nca_s_server_too_busy */
        {CAUSE_OF_FAULT, 0x1C010003, CAUSE_INTERFACE_REFUSED},      /* nca_s_unk_if */
        {CAUSE_OF_BIND_NAK, 1, CAUSE_SERVER_BUSY},                  /* temporary_congestion */
        {CAUSE_OF_BIND_NAK, 2, CAUSE_SERVER_BUSY},                  /* local_limit_exceeded */
        {CAUSE_OF_BIND_NAK, 8, CAUSE_AUTH_TYPE_REFUSED},            /* authentication_type_not_recognized */
        {CAUSE_OF_BIND_NAK, 9, CAUSE_CREDENTIALS_REFUSED},          /* invalid_checksum */
        {CAUSE_OF_PROVIDER, 1, CAUSE_INTERFACE_REFUSED},            /* abstract_syntax_not_supported */
        {CAUSE_OF_EPM, 0x16C9A0D6, CAUSE_INTERFACE_NOT_REGISTERED}, /* ept_s_not_registered */
};

enum cause cause_of_status(enum cause_family family, unsigned status)
{
	if (status == 0 && family != CAUSE_OF_BIND_NAK)
		return CAUSE_NONE;
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].family == family && statuses[i].status == status)
			return statuses[i].cause;
	return family == CAUSE_OF_BIND_NAK || family == CAUSE_OF_PROVIDER ? CAUSE_BIND_REFUSED : CAUSE_CALL_FAILED;
}
