#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/kerberos.h"
#include "auth/keytab_file.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

/* Keytab files as bytes: what is read of them, and what of damaged ones. */

static void put_text(struct buf *b, const char *text)
{
	buf_put_u16be(b, (uint16_t)strlen(text));
	buf_put_str(b, text);
}

/* store/mail@REALM with an AES key of this byte. */
static void put_entry(struct buf *out, uint8_t key, uint8_t version, uint32_t long_version)
{
	struct buf MW_CLEANUP(buf_free) b = {0};

	buf_put_u16be(&b, 2);
	put_text(&b, "REALM");
	put_text(&b, "store");
	put_text(&b, "mail");
	buf_put_u32be(&b, KRB5_NT_PRINCIPAL);
	buf_put_u32be(&b, 1795507200);
	buf_put_u8(&b, version);
	buf_put_u16be(&b, ENCTYPE_AES256_CTS_HMAC_SHA1_96);
	buf_put_u16be(&b, 32);
	for (int i = 0; i < 32; i++)
		buf_put_u8(&b, key);
	if (long_version)
		buf_put_u32be(&b, long_version);
	buf_put_u32be(out, (uint32_t)b.len);
	buf_put(out, b.data, b.len);
}

static struct buf two_entries(void)
{
	struct buf out = {0};

	buf_put_u16be(&out, 0x0502);
	put_entry(&out, 0x11, 3, 0);
	buf_put_u32be(&out, (uint32_t)-6); /* one that was deleted */
	buf_put_str(&out, "secret");
	put_entry(&out, 0x22, 4, 260);
	return out;
}

static int read_bytes(krb5_context krb5, krb5_keytab *keys, const void *bytes, size_t size, unsigned *count)
{
	static unsigned number;
	char name[32];

	snprintf(name, sizeof name, "MEMORY:test-%u", number++);
	assert_int_equal(krb5_kt_resolve(krb5, name, keys), 0);
	*count = 0;
	return keytab_file_read(krb5, cursor_of(bytes, size), *keys, count);
}

static void check_key(krb5_context krb5, krb5_keytab keys, krb5_kvno version, uint8_t key)
{
	krb5_principal who;
	krb5_keytab_entry entry;

	assert_int_equal(krb5_parse_name(krb5, "store/mail@REALM", &who), 0);
	assert_int_equal(krb5_kt_get_entry(krb5, keys, who, version, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &entry), 0);
	assert_int_equal(entry.key.length, 32);
	assert_int_equal(entry.key.contents[31], key);
	krb5_free_keytab_entry_contents(krb5, &entry);
	krb5_free_principal(krb5, who);
}

static void entries_and_holes(void **state)
{
	struct buf MW_CLEANUP(buf_free) file = two_entries();
	krb5_context krb5;
	krb5_keytab keys;
	unsigned count;
	(void)state;

	assert_int_equal(krb5_init_context(&krb5), 0);
	assert_int_equal(read_bytes(krb5, &keys, file.data, file.len, &count), 0);
	assert_int_equal(count, 2);
	check_key(krb5, keys, 3, 0x11);
	check_key(krb5, keys, 260, 0x22);
	krb5_kt_close(krb5, keys);
	krb5_free_context(krb5);
}

/* Cut anywhere but between entries it is damaged. */
static void cut_at_every_length(void **state)
{
	struct buf MW_CLEANUP(buf_free) file = two_entries();
	krb5_context krb5;
	krb5_keytab keys;
	unsigned count, whole = 0;
	(void)state;

	assert_int_equal(krb5_init_context(&krb5), 0);
	for (size_t n = 0; n < file.len; n++) {
		whole += read_bytes(krb5, &keys, file.data, n, &count) == 0;
		krb5_kt_close(krb5, keys);
	}
	assert_int_equal(whole, 3); /* without entries, with one, with the hole */
	krb5_free_context(krb5);
}

static void other_keys_from_now_on(void **state)
{
	struct buf MW_CLEANUP(buf_free) file = two_entries();
	struct auth_keytab *k = NULL;
	char why[AUTH_KEYTAB_WHY];
	(void)state;

	assert_int_equal(auth_keytab_from("\5\2", 2, &k, why), MW_E_NOTFOUND);
	assert_int_equal(auth_keytab_from("no keytab", 9, &k, why), MW_E_IO);
	assert_string_equal(why, "it is no keytab of version 5.2");
	assert_int_equal(auth_keytab_from(file.data, file.len, &k, why), 0);
	struct keytab_keys *held = kerberos_keys_hold(k);
	assert_int_equal(auth_keytab_replace(k, file.data, file.len - 1, why), MW_E_IO);
	assert_ptr_equal(k->keys, held);
	memset(file.data + file.len - 36, 0x33, 32);
	assert_int_equal(auth_keytab_replace(k, file.data, file.len, why), 0);
	check_key(held->krb5, held->keys, 260, 0x22); /* a handshake that is under way */
	check_key(k->keys->krb5, k->keys->keys, 260, 0x33);
	kerberos_keys_release(held);
	auth_keytab_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(entries_and_holes),
	        cmocka_unit_test(cut_at_every_length),
	        cmocka_unit_test(other_keys_from_now_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
