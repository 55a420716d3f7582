/* A keytab file's bytes: what is read of it is what MIT krb5 can list. */
#include "fuzz.h"

#include "auth/keytab_file.h"

static unsigned count_entries(krb5_context krb5, krb5_keytab keys)
{
	krb5_kt_cursor cursor;
	krb5_keytab_entry entry;
	unsigned n = 0;

	must(krb5_kt_start_seq_get(krb5, keys, &cursor) == 0);
	while (krb5_kt_next_entry(krb5, keys, &entry, &cursor) == 0) {
		krb5_free_keytab_entry_contents(krb5, &entry);
		n++;
	}
	krb5_kt_end_seq_get(krb5, keys, &cursor);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static krb5_context krb5;
	krb5_keytab keys;
	unsigned count = 0;

	must(krb5 || krb5_init_context(&krb5) == 0);
	must(krb5_kt_resolve(krb5, "MEMORY:fuzz", &keys) == 0);
	int r = keytab_file_read(krb5, cursor_of(data, size), keys, &count);
	must(r < 0 || count_entries(krb5, keys) == count);
	must(count <= size / 16);
	krb5_kt_close(krb5, keys);
	return 0;
}
