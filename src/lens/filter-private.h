#ifndef MW_LENS_FILTER_PRIVATE_H
#define MW_LENS_FILTER_PRIVATE_H

#include "lens/filter.h"

/* Between the filter's files: its nodes, the fields, and what they tell their values to. */
enum filter_type { FILTER_TEXT, FILTER_NUMBER, FILTER_FLAG };

struct filter_visit;
void filter_text(struct filter_visit *v, const char *s); /* NULL: nothing */
void filter_number(struct filter_visit *v, double n);
void filter_flag(struct filter_visit *v, bool set);

struct filter_field {
	const char *name;
	enum filter_type type;
	void (*tell)(const struct lens_event *e, struct filter_visit *v);
};

enum test { TEST_THERE, TEST_EQ, TEST_NE, TEST_LT, TEST_LE, TEST_GT, TEST_GE, TEST_CONTAINS };
enum node { NODE_TEST, NODE_NOT, NODE_AND, NODE_OR };

struct lens_filter {
	enum node node;
	const struct lens_filter *left, *right;
	const struct filter_field *field;
	enum test test;
	const char *text;
	double number;
};

/* NULL: no such field. */
const struct filter_field *filter_find_field(const char *name, size_t len);

#endif
