/* What gcc's unwinder takes from glibc, for programs that are linked with musl. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* It refers to these weakly, takes one for all, and calls what is missing. */
__attribute__((used)) static void *const all_or_nothing[] = {
    pthread_getspecific, pthread_key_create, pthread_mutex_lock, pthread_mutex_unlock, pthread_once, pthread_setspecific,
};

/* As in glibc's dlfcn.h. */
struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    uintptr_t address;
    struct dl_find_object *result;
};

static int look_into(struct dl_phdr_info *object, size_t size, void *argument)
{
    struct search *search = argument;
    const ElfW(Phdr) *tables = NULL;
    int found = 0;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_GNU_EH_FRAME)
            tables = segment;
        if (segment->p_type == PT_LOAD && search->address - start < segment->p_memsz) {
            search->result->map_start = (void *)start;
            search->result->map_end = (void *)(start + segment->p_memsz);
            found = 1;
        }
    }
    if (!found || tables == NULL)
        return 0;
    search->result->eh_frame = (void *)(object->dlpi_addr + tables->p_vaddr);
    return 1;
}

/* Where the unwind tables of an address are. musl has no such function, and gcc asks for it since version 12. */
int _dl_find_object(void *address, struct dl_find_object *result)
{
    struct search search = { (uintptr_t)address, result };
    *result = (struct dl_find_object){ 0 };
    return dl_iterate_phdr(look_into, &search) == 1 ? 0 : -1;
}
