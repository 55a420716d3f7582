#include "auth/kerberos.h"

#include <stdio.h>
#include <stdlib.h>

static int explain(krb5_context krb5, krb5_error_code code, char why[AUTH_KEYTAB_WHY])
{
	const char *text = krb5_get_error_message(krb5, code);
	snprintf(why, AUTH_KEYTAB_WHY, "%s", text);
	krb5_free_error_message(krb5, text);
	return MW_E_IO;
}

static krb5_error_code copy_entries(krb5_context krb5, krb5_keytab from, krb5_keytab to, unsigned *count)
{
	krb5_kt_cursor cursor;
	krb5_keytab_entry entry;
	krb5_error_code code = krb5_kt_start_seq_get(krb5, from, &cursor);
	if (code != 0)
		return code;
	while (code == 0 && (code = krb5_kt_next_entry(krb5, from, &entry, &cursor)) == 0) {
		code = krb5_kt_add_entry(krb5, to, &entry);
		(*count)++;
		krb5_free_keytab_entry_contents(krb5, &entry);
	}
	krb5_kt_end_seq_get(krb5, from, &cursor);
	return code == KRB5_KT_END ? 0 : code;
}

static int read_file(struct auth_keytab *k, const char *path, char why[AUTH_KEYTAB_WHY])
{
	char full[4096 + 8];
	krb5_keytab file;
	unsigned count = 0;
	if (snprintf(full, sizeof full, "FILE:%s", path) >= (int)sizeof full)
		return MW_E_INVALID;
	krb5_error_code code = krb5_kt_resolve(k->krb5, full, &file);
	if (code != 0)
		return explain(k->krb5, code, why);
	code = copy_entries(k->krb5, file, k->keys, &count);
	krb5_kt_close(k->krb5, file);
	if (code != 0)
		return explain(k->krb5, code, why);
	return count > 0 ? 0 : MW_E_NOTFOUND;
}

/*
 * No replay cache: a replayed AP-REQ gets an AP-REP that only the ticket's owner
 * can answer with the third leg, which kerberos_finish demands (DCE style).
 */
static int acquire(struct auth_keytab *k, char why[AUTH_KEYTAB_WHY])
{
	gss_key_value_element_desc elements[] = {{"keytab", k->name}, {"rcache", "none:"}};
	gss_key_value_set_desc store = {ARRAY_SIZE(elements), elements};
	gss_OID_set_desc mechs = {1, (gss_OID)gss_mech_krb5};
	OM_uint32 minor;
	OM_uint32 major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs, GSS_C_ACCEPT, &store,
	                                        &k->acceptor, NULL, NULL);
	return GSS_ERROR(major) ? explain(k->krb5, (krb5_error_code)minor, why) : 0;
}

int auth_keytab_open(const char *path, struct auth_keytab **out, char why[AUTH_KEYTAB_WHY])
{
	struct auth_keytab *k = calloc(1, sizeof *k);
	*why = '\0';
	if (k == NULL)
		return MW_E_NOMEM;
	if (krb5_init_context(&k->krb5) != 0) {
		snprintf(why, AUTH_KEYTAB_WHY, "the Kerberos library cannot read its configuration, krb5.conf");
		free(k);
		return MW_E_IO;
	}
	snprintf(k->name, sizeof k->name, "MEMORY:mapiwire-%p", (void *)k);
	krb5_error_code code = krb5_kt_resolve(k->krb5, k->name, &k->keys);
	int r = code != 0 ? explain(k->krb5, code, why) : read_file(k, path, why);
	if (r == 0)
		r = acquire(k, why);
	if (r == MW_E_NOTFOUND)
		snprintf(why, AUTH_KEYTAB_WHY, "it holds no key");
	if (r < 0) {
		auth_keytab_free(&k);
		return r;
	}
	*out = k;
	return 0;
}

void auth_keytab_free(struct auth_keytab **keytab)
{
	struct auth_keytab *k = *keytab;
	OM_uint32 minor;
	if (k == NULL)
		return;
	gss_release_cred(&minor, &k->acceptor);
	if (k->keys != NULL)
		krb5_kt_close(k->krb5, k->keys);
	krb5_free_context(k->krb5);
	free(k);
	*keytab = NULL;
}
