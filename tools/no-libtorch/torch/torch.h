// Found by the C++ compiler only where libtorch's own header is not: see CPLUS_INCLUDE_PATH in .cargo/config.toml.
#if __has_include_next(<torch/torch.h>)
#include_next <torch/torch.h>
#else
// A missing file, unlike #error, ends the compilation and so leaves the message visible.
#include "no libtorch: run `make libtorch`, or set LIBTORCH to a directory with libtorch 2.13.0"
#endif
