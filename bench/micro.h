#ifndef MW_BENCH_MICRO_H
#define MW_BENCH_MICRO_H

#include <stddef.h>

/* Parts of the RPC runtime by themselves: what each measures is said in docs/benchmarks.md. Each prints one JSON
 * object. */

#define SEALED_BYTES ((size_t)32 << 10) /* of a call's stub, each way */

struct sealed_setup {
	const char *provider; /* none, ntlm, kerberos */
	const char *keytab, *target, *user, *realm, *password;
	int server_core; /* that the other end runs on */
	double seconds;
};

void sealed_run(const struct sealed_setup *setup);
/* The cipher alone, on what one such call seals and opens at both ends; provider as above. */
void cipher_run(const char *provider, double seconds);
/* NDR of a set of 50 address book rows, decoded and encoded, and a copy of its bytes. */
void rows_run(double seconds);

#endif
