#ifndef MW_BASE_ERROR_H
#define MW_BASE_ERROR_H

/*
 * What can go wrong inside the libraries. Every function that can fail returns
 * 0 (or a count) on success and one of these negative codes on failure; its
 * outputs are then untouched. What goes on the wire (fault codes, MAPI codes,
 * NTSTATUS) is a value of its own and never one of these.
 */
enum mw_error {
	MW_OK = 0,
	MW_E_TRUNCATED = -1,   /* fewer bytes than the structure needs */
	MW_E_MALFORMED = -2,   /* the bytes break a rule of the format */
	MW_E_LIMIT = -3,       /* a count, size or depth beyond our bound */
	MW_E_NOMEM = -4,       /* out of memory, or the arena's ceiling reached */
	MW_E_UNSUPPORTED = -5, /* well-formed, but not ours to handle */
	MW_E_NOTFOUND = -6,    /* no such object, user, interface ... */
	MW_E_EXISTS = -7,      /* already there */
	MW_E_AUTH = -8,        /* credentials or signature refused */
	MW_E_STATE = -9,       /* not allowed in this state */
	MW_E_IO = -10,         /* file, socket or database; errno or a log has more */
	MW_E_TIMEOUT = -11,
	MW_E_INVALID = -12, /* an argument or a line of input is wrong */
	MW_E_AGAIN = -13,   /* not finished: more input or a later call is needed */
	MW_E_BUSY = -14,
	MW_E_CANCELLED = -15, /* given up by whoever asked for it */
	MW_E_FULL = -16,      /* a quota says no */
};

/* A short English phrase for a code of the above, without a full stop. Static. */
const char *mw_strerror(int error);

#define MW_NODISCARD __attribute__((warn_unused_result))
#define MW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MW_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Gives p away: yields it and leaves NULL behind (for MW_CLEANUP variables). */
#define TAKE_PTR(p)                                                                                                    \
	({                                                                                                             \
		__typeof__(p) *take_ptr_ = &(p);                                                                       \
		__typeof__(p) taken_ = *take_ptr_;                                                                     \
		*take_ptr_ = NULL;                                                                                     \
		taken_;                                                                                                \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
