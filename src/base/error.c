#include "base/error.h"

const char *mw_strerror(int error)
{
	switch (error) {
	case MW_OK:
		return "no error";
	case MW_E_TRUNCATED:
		return "cut short";
	case MW_E_MALFORMED:
		return "malformed";
	case MW_E_LIMIT:
		return "beyond a limit";
	case MW_E_NOMEM:
		return "out of memory";
	case MW_E_UNSUPPORTED:
		return "not supported";
	case MW_E_NOTFOUND:
		return "not found";
	case MW_E_EXISTS:
		return "exists already";
	case MW_E_AUTH:
		return "credentials or signature refused";
	case MW_E_STATE:
		return "not allowed in this state";
	case MW_E_IO:
		return "input or output failed";
	case MW_E_TIMEOUT:
		return "timed out";
	case MW_E_INVALID:
		return "invalid";
	case MW_E_AGAIN:
		return "not finished";
	case MW_E_BUSY:
		return "busy";
	case MW_E_FULL:
		return "over a quota";
	case MW_E_CANCELLED:
		return "cancelled";
	}
	return "unknown error";
}
