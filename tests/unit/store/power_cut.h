#ifndef TEST_STORE_POWER_CUT_H
#define TEST_STORE_POWER_CUT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A SQLite VFS on top of the default one that remembers which bytes were synced. power_cut() makes the files what a
 * disk may hold after the power went: all that was synced, and of what was not, any part of any sector. It also
 * refuses, holds or forgets syncs on demand. What it remembers lies in memory shared with children, so that a parent
 * may cut the power of a child that it killed at any moment; nobody but the child uses the VFS meanwhile.
 */
struct pc_write {
	int64_t at; /* -1: truncated to size */
	int64_t size;
	uint8_t *data;
	struct pc_write *next;
};

struct pc_image {
	char path[256];
	uint8_t *data; /* what is safe */
	int64_t size, room;
	bool exists; /* its name is safe too */
	struct pc_write *first, **last;
};

struct pc_file {
	sqlite3_file base;
	struct pc_image *image; /* NULL: a file that does not matter */
	sqlite3_file *real;
};

struct pc_state {
	struct pc_image images[16];
	size_t image_count;
	int fail_writes, fail_syncs; /* SQLite codes */
	bool full;                   /* no file grows */
	bool lie;                    /* syncs say yes and do nothing */
	atomic_bool hold;            /* syncs wait */
	atomic_uint held;            /* that do */
	size_t used;
	_Alignas(16) uint8_t memory[];
};
#define PC_MEMORY ((size_t)1 << 30) /* only what is used is there */

static struct pc_state *pc;
static pthread_mutex_t pc_lock_all = PTHREAD_MUTEX_INITIALIZER;

#define PC_REAL(f) (((struct pc_file *)(f))->real)
#define PC_CALL(f, method, ...) (PC_REAL(f)->pMethods->method(PC_REAL(f), ##__VA_ARGS__))

static void *pc_alloc(int64_t size)
{
	void *out = pc->memory + pc->used;

	pc->used += ((size_t)size + 15) & ~(size_t)15;
	if (pc->used > PC_MEMORY - sizeof *pc)
		abort();
	return out;
}

/* Whoever is killed between two lines leaves a list and images that are whole. */
static void pc_remember(struct pc_image *image, int64_t at, const void *data, int64_t size)
{
	struct pc_write *w = pc_alloc(sizeof *w);

	w->at = at;
	w->size = size;
	if (data) {
		w->data = pc_alloc(size);
		memcpy(w->data, data, (size_t)size);
	}
	atomic_signal_fence(memory_order_seq_cst);
	*image->last = w;
	image->last = &w->next;
}

static void pc_resize(struct pc_image *image, int64_t size)
{
	if (size > image->room) {
		uint8_t *data = pc_alloc(size * 2);
		if (image->size > 0)
			memcpy(data, image->data, (size_t)image->size);
		image->data = data;
		image->room = size * 2;
	}
	if (size > image->size)
		memset(image->data + image->size, 0, (size_t)(size - image->size));
	atomic_signal_fence(memory_order_seq_cst);
	image->size = size;
}

static void pc_apply(struct pc_image *image, int64_t at, const uint8_t *data, int64_t size)
{
	if (at + size > image->size)
		pc_resize(image, at + size);
	memcpy(image->data + at, data, (size_t)size);
}

/* keep: of 256 sectors that were not synced, how many are there all the same. */
static void pc_settle(struct pc_image *image, unsigned keep)
{
	while (image->first) {
		struct pc_write *w = image->first;
		if (w->at < 0) {
			if ((unsigned)(rand() & 0xFF) < keep)
				pc_resize(image, w->size);
		} else {
			for (int64_t done = 0; done < w->size;) {
				int64_t n = 512 - (w->at + done) % 512;
				n = n < w->size - done ? n : w->size - done;
				if ((unsigned)(rand() & 0xFF) < keep)
					pc_apply(image, w->at + done, w->data + done, n);
				done += n;
			}
		}
		atomic_signal_fence(memory_order_seq_cst);
		image->first = w->next;
	}
	image->last = &image->first;
}

static inline void power_cut(unsigned keep)
{
	for (size_t i = 0; i < pc->image_count; i++) {
		struct pc_image *image = &pc->images[i];
		FILE *f;
		if (!image->exists && (unsigned)(rand() & 0xFF) >= keep) {
			remove(image->path);
			continue;
		}
		pc_settle(image, keep);
		f = fopen(image->path, "w");
		if (f) {
			fwrite(image->data, 1, (size_t)image->size, f);
			fclose(f);
		}
	}
}

static int pc_close(sqlite3_file *f)
{
	int rc = PC_CALL(f, xClose);

	free(PC_REAL(f));
	return rc;
}

static int pc_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	return PC_CALL(f, xRead, out, n, at);
}

static bool pc_grows(sqlite3_file *f, sqlite3_int64 end)
{
	sqlite3_int64 size = 0;

	return PC_CALL(f, xFileSize, &size) != SQLITE_OK || end > size;
}

static int pc_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	if (pc->fail_writes)
		return pc->fail_writes;
	if (pc->full && pc_grows(f, at + n))
		return SQLITE_FULL;
	pthread_mutex_lock(&pc_lock_all);
	if (((struct pc_file *)f)->image)
		pc_remember(((struct pc_file *)f)->image, at, data, n);
	pthread_mutex_unlock(&pc_lock_all);
	return PC_CALL(f, xWrite, data, n, at);
}

static int pc_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	pthread_mutex_lock(&pc_lock_all);
	if (((struct pc_file *)f)->image)
		pc_remember(((struct pc_file *)f)->image, -1, NULL, size);
	pthread_mutex_unlock(&pc_lock_all);
	return PC_CALL(f, xTruncate, size);
}

static int pc_sync(sqlite3_file *f, int flags)
{
	struct pc_image *image = ((struct pc_file *)f)->image;

	(void)flags; /* nothing here is really synced: it is the shim that remembers */
	atomic_fetch_add(&pc->held, 1);
	while (atomic_load(&pc->hold))
		usleep(1000);
	atomic_fetch_sub(&pc->held, 1);
	if (pc->fail_syncs)
		return pc->fail_syncs;
	pthread_mutex_lock(&pc_lock_all);
	if (image && !pc->lie) {
		pc_settle(image, 256);
		image->exists = true;
	}
	pthread_mutex_unlock(&pc_lock_all);
	return SQLITE_OK;
}

static int pc_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return PC_CALL(f, xFileSize, out);
}

static int pc_lock(sqlite3_file *f, int how)
{
	return PC_CALL(f, xLock, how);
}

static int pc_unlock(sqlite3_file *f, int how)
{
	return PC_CALL(f, xUnlock, how);
}

static int pc_check(sqlite3_file *f, int *out)
{
	return PC_CALL(f, xCheckReservedLock, out);
}

static int pc_control(sqlite3_file *f, int op, void *arg)
{
	if (op == SQLITE_FCNTL_SIZE_HINT && pc->full && pc_grows(f, *(sqlite3_int64 *)arg))
		return SQLITE_IOERR_WRITE;
	return PC_CALL(f, xFileControl, op, arg);
}

static int pc_sector(sqlite3_file *f)
{
	return PC_CALL(f, xSectorSize);
}

/* Nothing is promised about how writes reach the disk. */
static int pc_traits(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static int pc_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return PC_CALL(f, xShmMap, page, size, extend, out);
}

static int pc_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return PC_CALL(f, xShmLock, at, n, flags);
}

static void pc_shm_barrier(sqlite3_file *f)
{
	PC_CALL(f, xShmBarrier);
}

static int pc_shm_unmap(sqlite3_file *f, int remove_it)
{
	return PC_CALL(f, xShmUnmap, remove_it);
}

static const sqlite3_io_methods pc_methods = {
        .iVersion = 2,
        .xClose = pc_close,
        .xRead = pc_read,
        .xWrite = pc_write,
        .xTruncate = pc_truncate,
        .xSync = pc_sync,
        .xFileSize = pc_size,
        .xLock = pc_lock,
        .xUnlock = pc_unlock,
        .xCheckReservedLock = pc_check,
        .xFileControl = pc_control,
        .xSectorSize = pc_sector,
        .xDeviceCharacteristics = pc_traits,
        .xShmMap = pc_shm_map,
        .xShmLock = pc_shm_lock,
        .xShmBarrier = pc_shm_barrier,
        .xShmUnmap = pc_shm_unmap,
};

static struct pc_image *pc_image_of(const char *path)
{
	struct pc_image *image;
	FILE *f;

	for (size_t i = 0; i < pc->image_count; i++)
		if (!strcmp(pc->images[i].path, path))
			return &pc->images[i];
	image = &pc->images[pc->image_count];
	snprintf(image->path, sizeof image->path, "%s", path);
	image->last = &image->first;
	f = fopen(path, "r");
	if (f) {
		image->exists = true;
		fseek(f, 0, SEEK_END);
		pc_resize(image, ftell(f));
		rewind(f);
		if (image->size > 0 && fread(image->data, 1, (size_t)image->size, f) != (size_t)image->size)
			abort();
		fclose(f);
	}
	pc->image_count++;
	return image;
}

static sqlite3_vfs *pc_base;

static int pc_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct pc_file *f = (void *)file;
	bool matters = name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
	int rc;

	(void)vfs;
	file->pMethods = NULL;
	pthread_mutex_lock(&pc_lock_all);
	f->image = matters ? pc_image_of(name) : NULL;
	pthread_mutex_unlock(&pc_lock_all);
	f->real = calloc(1, (size_t)pc_base->szOsFile);
	rc = pc_base->xOpen(pc_base, name, f->real, flags, out);
	if (rc == SQLITE_OK)
		file->pMethods = &pc_methods;
	else
		free(f->real);
	return rc;
}

/* Its name; it forgets what it knew of files, which are all closed. */
static inline const char *power_cut_vfs(void)
{
	static sqlite3_vfs vfs;

	if (pc)
		munmap(pc, PC_MEMORY);
	pc = mmap(NULL, PC_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pc == MAP_FAILED)
		abort();
	if (!pc_base) {
		pc_base = sqlite3_vfs_find(NULL);
		vfs = *pc_base;
		vfs.zName = "power-cut";
		vfs.szOsFile = sizeof(struct pc_file);
		vfs.xOpen = pc_open;
		vfs.pNext = NULL;
		sqlite3_vfs_register(&vfs, 0);
	}
	return "power-cut";
}

#endif
