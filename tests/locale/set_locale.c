/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded in front of a program (LD_PRELOAD): the program runs under the locale that CTCONV_TEST_LOCALE names, as one
 * would whose plug-in or toolkit has called setlocale. */
#include <locale.h>
#include <stdlib.h>

__attribute__((constructor)) static void set_locale(void) {
  const char *name = getenv("CTCONV_TEST_LOCALE");
  if (name != NULL && setlocale(LC_ALL, name) == NULL) abort();
}
