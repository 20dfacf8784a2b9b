// What this program frees is overwritten first: a secret that passed through a string, a parser, a
// row of SQLite or a buffer of a library is not found in its memory afterwards. The names below
// take the place of those of the C library in the whole process, shared libraries too; glibc offers
// its own under the other names. It costs a memset for each block.
//
// Linked into the binary alone: sanitizers have an allocator of their own.
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <malloc.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {

void __libc_free(void* block);          // NOLINT(bugprone-reserved-identifier)
void* __libc_malloc(std::size_t size);  // NOLINT(bugprone-reserved-identifier)

void free(void* block) noexcept {
  if (block != nullptr) {
    explicit_bzero(block, malloc_usable_size(block));
    __libc_free(block);
  }
}

// Never in place when it must grow: what was moved away from would stay as it was.
void* realloc(void* block, std::size_t size) noexcept {
  if (block == nullptr) {
    return __libc_malloc(size);
  }
  const std::size_t old_size = malloc_usable_size(block);
  if (size != 0 && size <= old_size && size >= old_size / 2) {
    return block;
  }
  if (size == 0) {
    free(block);
    return nullptr;
  }
  void* const moved = __libc_malloc(size);
  if (moved != nullptr) {
    std::memcpy(moved, block, size < old_size ? size : old_size);
    free(block);
  }
  return moved;
}

}  // extern "C"

#endif
