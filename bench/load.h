#ifndef MW_BENCH_LOAD_H
#define MW_BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

/* One call at a time on each of count connections, which are bound. */
struct load {
	int *fds;
	unsigned count;
	const uint8_t *request, *answer; /* examples; the call id is written over both at +12 */
	size_t request_size, answer_size;
	size_t checked; /* bytes of each answer that must be the example's */
	double seconds;
};

struct load_result {
	uint64_t calls;
	double seconds, cpu; /* cpu: of this process, while it ran */
	double server_cpu;   /* the server's, by load_cpu_of; 0: not measured */
};

/* Ends the program when an answer is wrong. */
struct load_result load_run(const struct load *l);
double load_now(void);
double load_cpu(void);
/* CPU seconds of all threads of another process; 0 where pid is NULL. */
double load_cpu_of(const char *pid);
/* One JSON object on standard output. */
void load_print(const struct load_result *r, size_t request_size, size_t answer_size);

#endif
