#include "client/private.h"

#include <stdarg.h>
#include <stdio.h>

int client_fail(struct mapiwire *m, int code, enum cause cause, uint32_t status, const struct cause_about *about)
{
	const struct cause_row *row = cause_get(cause);
	cause_explain(cause, about, m->said->sentence, m->said->attempt);
	m->said->error = (struct mapiwire_error){
	        .code = code,
	        .cause = row->id,
	        .sentence = m->said->sentence,
	        .attempt = m->said->attempt,
	        .exit_code = row->exit_code,
	        .status = status,
	        .status_name = "",
	        .server = "",
	};
	return code;
}

int client_fail_on(struct mapiwire *m, int code, enum cause cause, const char *format, ...)
{
	char detail[CAUSE_TEXT_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	return client_fail(m, code, cause, 0, &(struct cause_about){.detail = detail, .mapper_port = m->mapper_text});
}

static const char *name_of(enum cause_family family, uint32_t status)
{
	switch (family) {
	case CAUSE_OF_BIND_NAK:
		return mapi_code_name(MAPI_CODES_BIND_NAK_REASON, status);
	case CAUSE_OF_PROVIDER:
		return mapi_code_name(MAPI_CODES_PROVIDER_REASON, status);
	case CAUSE_OF_EPM:
		return mapi_code_name(MAPI_CODES_DCE_STATUS, status);
	case CAUSE_OF_FAULT:
		return mapi_code_name(MAPI_CODES_NCA_FAULT, status)  ? mapi_code_name(MAPI_CODES_NCA_FAULT, status)
		       : mapi_code_name(MAPI_CODES_NTSTATUS, status) ? mapi_code_name(MAPI_CODES_NTSTATUS, status)
		                                                     : mapi_code_name(MAPI_CODES_WIN32, status);
	default:
		return mapi_status_name(status);
	}
}

/* What a sentence about this cause names. */
static void detail_of(const struct mapiwire *m, enum cause cause, const char *call, const char *name, char out[200])
{
	switch (cause) {
	case CAUSE_CREDENTIALS_REFUSED:
		snprintf(out, 200, " of %s%s%s", m->login->domain, *m->login->domain ? "\\" : "", m->login->user);
		break;
	case CAUSE_WRONG_SERVER:
	case CAUSE_NO_TICKET:
	case CAUSE_TICKET_EXPIRED:
		*out = 0;
		break;
	case CAUSE_KDC_UNREACHABLE:
	case CAUSE_SERVICE_NAME_UNKNOWN:
		snprintf(out, 200, " (%s)", call);
		break;
	case CAUSE_AUTH_TYPE_REFUSED:
	case CAUSE_CLIENT_VERSION_BLOCKED:
	case CAUSE_SERVER_BUSY:
		snprintf(out, 200, " (%s: %s)", call, name);
		break;
	case CAUSE_INTERFACE_REFUSED:
	case CAUSE_INTERFACE_NOT_REGISTERED:
	case CAUSE_UNKNOWN_MAILBOX:
		snprintf(out, 200, "%s", call);
		break;
	case CAUSE_BIND_REFUSED:
		snprintf(out, 200, "%s", name);
		break;
	default:
		snprintf(out, 200, "%s: %s", call, name);
	}
}

/* The server, or the KDC, does not want this user. */
static bool is_refusal(enum cause cause)
{
	static const enum cause causes[] = {
	        CAUSE_CREDENTIALS_REFUSED, CAUSE_ACCOUNT_LOCKED, CAUSE_ACCOUNT_EXPIRED, CAUSE_PASSWORD_EXPIRED,
	        CAUSE_CLOCK_SKEW,          CAUSE_NO_TICKET,      CAUSE_TICKET_EXPIRED,  CAUSE_SERVICE_NAME_UNKNOWN,
	        CAUSE_WRONG_SERVICE,       CAUSE_KDC_UNREACHABLE};
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (causes[i] == cause)
			return true;
	return false;
}

int client_fail_status(struct mapiwire *m, enum cause_family family, uint32_t status, const char *call)
{
	enum cause cause = cause_of_status(family, status);
	if (cause == CAUSE_CREDENTIALS_REFUSED && m->level == AUTH_LEVEL_NONE)
		cause = CAUSE_ANONYMOUS_REFUSED;
	const char *name = name_of(family, status);
	char detail[200];
	snprintf(m->said->status_text, sizeof m->said->status_text, "0x%08X", status);
	detail_of(m, cause, call, name ? name : m->said->status_text, detail);
	int code = family == CAUSE_OF_BIND_NAK || family == CAUSE_OF_PROVIDER ? MAPIWIRE_E_REFUSED : MAPIWIRE_E_STATUS;
	if (is_refusal(cause))
		code = MAPIWIRE_E_REFUSED;
	client_fail(m, code, cause, status, &(struct cause_about){.detail = detail, .mapper_port = m->mapper_text});
	m->said->error.status_name = name ? name : "";
	return code;
}

int client_fail_inside(struct mapiwire *m, int error, const char *what)
{
	char detail[200];
	snprintf(detail, sizeof detail, "%s: %s", what, mw_strerror(error));
	int code = error == MW_E_NOMEM     ? MAPIWIRE_E_MEMORY
	           : error == MW_E_INVALID ? MAPIWIRE_E_ARGUMENT
	                                   : MAPIWIRE_E_PROTOCOL;
	enum cause cause = code == MAPIWIRE_E_PROTOCOL ? CAUSE_PROTOCOL_ERROR : CAUSE_CALL_FAILED;
	return client_fail(m, code, cause, 0, &(struct cause_about){.detail = detail});
}

int client_fail_wait(struct mapiwire *m, int error, const char *what)
{
	if (error == MW_E_TIMEOUT)
		return client_fail_on(m, MAPIWIRE_E_TIMEOUT, CAUSE_NO_ANSWER, " %s", what);
	if (error == MW_E_CANCELLED)
		return client_fail_on(m, MAPIWIRE_E_CANCELLED, CAUSE_CANCELLED, ": %s", what);
	return client_fail_inside(m, error, what);
}

void client_said_nothing(struct client_said *said)
{
	said->error = (struct mapiwire_error){
	        .cause = "none", .sentence = "", .attempt = "", .status_name = "", .server = ""};
}

void client_no_error(struct mapiwire *m)
{
	client_said_nothing(m->said);
}

const struct mapiwire_error *mapiwire_error(const struct mapiwire *m)
{
	return &m->said->error;
}
