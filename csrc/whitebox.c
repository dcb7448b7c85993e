/* whitebox.c - checks whitebox.h against the inner headers, and what tests need besides. */
#include "whitebox.h"
