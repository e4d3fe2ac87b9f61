// SPDX-License-Identifier: Apache-2.0
// fmt's formatting for the whole command line: the one instantiation that precompiled.h promises.
#include "tools/cli/precompiled.h"

#if CTCONV_FMT_ONCE
template void fmt::detail::vformat_to<char>(buffer<char>&, basic_string_view<char>,
                                            basic_format_args<FMT_BUFFER_CONTEXT(type_identity_t<char>)>, locale_ref);
#endif
