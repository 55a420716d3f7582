#include "server/process.h"

#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

/* ---- Who it is ---- */

static int check_state(const char *user, const char *state, char why[512])
{
	static const char *const parts[] = {"", "/directory.sqlite", "/mailboxes"};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s%s", state, parts[i]);
		if (access(path, R_OK | W_OK) == 0 || errno == ENOENT)
			continue;
		snprintf(why, 512,
		         "%s may not read and write %.200s: give the state to that user with 'chown -R %s %.100s'.",
		         user, path, user, state);
		return MW_E_IO;
	}
	return 0;
}

static int drop_rights(const struct passwd *p, char why[512])
{
	if (geteuid() != 0) {
		snprintf(why, 512, "Only root can become %s: start as root, or as %s without --user.", p->pw_name,
		         p->pw_name);
		return MW_E_INVALID;
	}
	if (initgroups(p->pw_name, p->pw_gid) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0 || setresuid(0, 0, 0) == 0) {
		snprintf(why, 512, "Cannot become %s: %s. Start it as that user, with ports above 1023.", p->pw_name,
		         strerror(errno));
		return MW_E_IO;
	}
	return 0;
}

int process_become(const char *user, const char *state, char why[512])
{
	const struct passwd *p = getpwnam(user);
	if (!p) {
		snprintf(why, 512, "This machine has no user %.100s: make one with 'adduser --system %.100s'.", user,
		         user);
		return MW_E_NOTFOUND;
	}
	int r = geteuid() == p->pw_uid ? 0 : drop_rights(p, why);
	return r < 0 ? r : check_state(user, state, why);
}

/* ---- What it may ask ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A call that this architecture does not have has a negative number, which no rule matches. */
static const int allowed[] = {
        /* Connections that are accepted. */
        SCMP_SYS(accept),
        SCMP_SYS(accept4),
        SCMP_SYS(getpeername),
        SCMP_SYS(getsockname),
        SCMP_SYS(getsockopt),
        SCMP_SYS(setsockopt),
        SCMP_SYS(shutdown),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),
        /* Descriptors of every kind. */
        SCMP_SYS(read),
        SCMP_SYS(readv),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(close),
        SCMP_SYS(dup),
        SCMP_SYS(dup2),
        SCMP_SYS(dup3),
        SCMP_SYS(fcntl),
        SCMP_SYS(fcntl64),
        SCMP_SYS(ioctl),
        SCMP_SYS(pipe),
        SCMP_SYS(pipe2),
        SCMP_SYS(eventfd2),
        SCMP_SYS(epoll_create1),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_pwait2),
        SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        SCMP_SYS(select),
        SCMP_SYS(pselect6),
        /* Files. */
        SCMP_SYS(open),
        SCMP_SYS(openat),
        SCMP_SYS(pread64),
        SCMP_SYS(pwrite64),
        SCMP_SYS(preadv),
        SCMP_SYS(pwritev),
        SCMP_SYS(lseek),
        SCMP_SYS(_llseek),
        SCMP_SYS(stat),
        SCMP_SYS(fstat),
        SCMP_SYS(lstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(stat64),
        SCMP_SYS(fstat64),
        SCMP_SYS(lstat64),
        SCMP_SYS(fstatat64),
        SCMP_SYS(statx),
        SCMP_SYS(statfs),
        SCMP_SYS(fstatfs),
        SCMP_SYS(access),
        SCMP_SYS(faccessat),
        SCMP_SYS(faccessat2),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(getcwd),
        SCMP_SYS(getdents64),
        SCMP_SYS(unlink),
        SCMP_SYS(unlinkat),
        SCMP_SYS(rename),
        SCMP_SYS(renameat),
        SCMP_SYS(renameat2),
        SCMP_SYS(link),
        SCMP_SYS(linkat),
        SCMP_SYS(mkdir),
        SCMP_SYS(mkdirat),
        SCMP_SYS(rmdir),
        SCMP_SYS(ftruncate),
        SCMP_SYS(ftruncate64),
        SCMP_SYS(fallocate),
        SCMP_SYS(fsync),
        SCMP_SYS(fdatasync),
        SCMP_SYS(flock),
        SCMP_SYS(fchmod),
        SCMP_SYS(fchown),
        SCMP_SYS(fchown32),
        SCMP_SYS(umask),
        SCMP_SYS(utimensat),
        /* Memory. */
        SCMP_SYS(mmap),
        SCMP_SYS(mmap2),
        SCMP_SYS(munmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(msync),
        SCMP_SYS(brk),
        /* Threads, signals and ends. */
        SCMP_SYS(futex),
        SCMP_SYS(futex_time64),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(set_tid_address),
        SCMP_SYS(rseq),
        SCMP_SYS(sched_yield),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(membarrier),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigreturn),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(tgkill),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        /* Time, chance, and what it is. */
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_gettime64),
        SCMP_SYS(clock_getres),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(clock_nanosleep_time64),
        SCMP_SYS(nanosleep),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(time),
        SCMP_SYS(getrandom),
        SCMP_SYS(getpid),
        SCMP_SYS(getppid),
        SCMP_SYS(wait4), /* of the helper, when it has ended */
        SCMP_SYS(gettid),
        SCMP_SYS(getuid),
        SCMP_SYS(geteuid),
        SCMP_SYS(getgid),
        SCMP_SYS(getegid),
        SCMP_SYS(getrlimit),
        SCMP_SYS(ugetrlimit),
        SCMP_SYS(getrusage),
        SCMP_SYS(uname),
        SCMP_SYS(sysinfo),
        SCMP_SYS(getcpu),
};

/* A library that tries these learns that it may not; ENOSYS would tell it to try another way. */
static const int refused[] = {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
                              SCMP_SYS(fork),   SCMP_SYS(vfork),   SCMP_SYS(kill), SCMP_SYS(tkill)};

/* Nothing of ours asks these: whoever does has taken the process over. */
static const int fatal[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
                            SCMP_SYS(process_vm_writev)};

static int add_rules(scmp_filter_ctx filter, const int *calls, size_t count, uint32_t action)
{
	for (size_t i = 0; i < count; i++)
		if (seccomp_rule_add(filter, action, calls[i], 0) < 0)
			return MW_E_UNSUPPORTED;
	return 0;
}

/* Calls that are fine with some arguments only. MSG_FASTOPEN is a connect by another name. */
static int add_conditions(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp no_thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
	const struct scmp_arg_cmp sendto_plain = SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
	const struct scmp_arg_cmp sendto_fast = SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
	const struct scmp_arg_cmp sendmsg_plain = SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
	const struct scmp_arg_cmp sendmsg_fast = SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN);
	const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
	/* Its own (pid 0), to read (no new limit). */
	const struct scmp_arg_cmp limit[] = {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)};
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);
	bool ok = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread) == 0 &&
	          seccomp_rule_add_array(filter, no, SCMP_SYS(clone), 1, &no_thread) == 0 &&
	          seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1, &sendto_plain) == 0 &&
	          seccomp_rule_add_array(filter, no, SCMP_SYS(sendto), 1, &sendto_fast) == 0 &&
	          seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1, &sendmsg_plain) == 0 &&
	          seccomp_rule_add_array(filter, no, SCMP_SYS(sendmsg), 1, &sendmsg_fast) == 0 &&
	          seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &name) == 0 &&
	          seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, limit) == 0;
	return ok ? 0 : MW_E_UNSUPPORTED;
}

static int build(scmp_filter_ctx filter)
{
	/* 2: a search tree, not a list: every read and write goes through it. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0 ||
	    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0)
		return MW_E_UNSUPPORTED;
	int r = add_rules(filter, allowed, ARRAY_SIZE(allowed), SCMP_ACT_ALLOW);
	if (r == 0)
		r = add_rules(filter, refused, ARRAY_SIZE(refused), SCMP_ACT_ERRNO(EPERM));
	if (r == 0)
		r = add_rules(filter, fatal, ARRAY_SIZE(fatal), SCMP_ACT_KILL_PROCESS);
	return r < 0 ? r : add_conditions(filter);
}

int process_confine(void)
{
	if (SANITIZED)
		return MW_E_UNSUPPORTED;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!filter)
		return MW_E_NOMEM;
	int r = build(filter);
	if (r == 0 && seccomp_load(filter) < 0) /* which sets no_new_privs first */
		r = MW_E_UNSUPPORTED;
	seccomp_release(filter);
	return r;
}
