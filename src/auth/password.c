#include "auth/auth.h"
#include "auth/ntlm.h" /* the NTSTATUS codes */
#include "auth/ntlm_crypto.h"
#include "base/secret.h"

/* An unknown user takes the same path with a hash that nobody has, so that the time does not tell. */
int auth_check_password(const struct auth_server_config *config, const struct auth_env *env, const char *domain,
                        const char *user, const char *password, uint64_t *account, uint32_t *status)
{
	struct auth_account a = {0};
	uint8_t hash[16];
	int found = config->find_account(config->user, domain, user, &a);
	if (found < 0 && found != MW_E_NOTFOUND && found != MW_E_AUTH)
		return found;
	if (found < 0)
		env->random->fill(env->random->user, a.nt_hash, sizeof a.nt_hash);
	ntlm_nt_hash(password, hash);
	bool fits = secret_equal(hash, a.nt_hash, sizeof hash);
	secret_wipe(hash, sizeof hash);
	secret_wipe(a.nt_hash, sizeof a.nt_hash);
	if (found == 0 && fits && !a.refused) {
		*account = a.id;
		return 0;
	}
	*status = found == MW_E_AUTH   ? STATUS_ACCOUNT_LOCKED_OUT
	          : found < 0 || !fits ? STATUS_LOGON_FAILURE
	                               : a.refused;
	return MW_E_AUTH;
}
