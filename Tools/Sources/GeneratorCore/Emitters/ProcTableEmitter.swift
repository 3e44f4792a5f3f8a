import APIModel

/// Writes the table behind `cuGetProcAddress`.
struct ProcTableEmitter {
    let library: LibraryDescription

    private struct Entry {
        let name: String
        let since: Int
        let isPerThread: Bool
        let function: String
    }

    var files: [GeneratedFile] {
        let folder = "Sources/Client/CUDAProcTable"
        return [
            GeneratedFile(path: "\(folder)/include/CUDAProcTable.h", text: header),
            GeneratedFile(path: "\(folder)/CUDAProcTable.c", text: source),
        ]
    }

    private var entries: [Entry] {
        let own = library.functions.map { function in
            Entry(
                name: function.nameParts.root, since: function.since, isPerThread: function.isPerThread,
                function: function.name)
        }
        let aliases = Patches.aliases.filter { library.function(named: $0.function) != nil }.map { alias in
            Entry(name: alias.name, since: alias.since, isPerThread: false, function: alias.function)
        }
        return (own + aliases).sorted { left, right in
            if left.name != right.name {
                return Array(left.name.utf8).lexicographicallyPrecedes(Array(right.name.utf8))
            }
            if left.isPerThread != right.isPerThread { return right.isPerThread }
            return left.since < right.since
        }
    }

    private var header: String {
        Banner.c(library.source) + """
            #ifndef ROOST_CUDA_PROC_TABLE_H
            #define ROOST_CUDA_PROC_TABLE_H

            #include <stdint.h>

            /// Finds the newest variant of the function `name` that is not newer than `version`; 12040 is 12.4.
            /// Flag 2 prefers the form for the per-thread default stream.
            /// Returns 0 when found, 1 when the name is unknown, 2 when all variants are newer.
            int32_t roost_proc_lookup(const char *name, int32_t version, uint64_t flags, void **pointer);

            #endif

            """
    }

    private var source: String {
        var text = Banner.c(library.source)
        text += "#include \"CUDAProcTable.h\"\n\n#include <stddef.h>\n#include <string.h>\n\n"
        text += "typedef void (*roost_function)(void);\n\n"
        for name in library.functions.map(\.name).sorted() { text += "extern void \(name)(void);\n" }
        text += "\nstruct roost_proc_entry {\n    const char *name;\n    int32_t since;\n    int32_t per_thread;\n"
        text += "    roost_function function;\n};\n\n"
        text += "// Sorted by name, then plain before per-thread forms, then by version.\n"
        text += "static const struct roost_proc_entry table[] = {\n"
        for entry in entries {
            text += "    {\"\(entry.name)\", \(entry.since), \(entry.isPerThread ? 1 : 0), \(entry.function)},\n"
        }
        text += "};\n\n"
        text += """
            static size_t first_entry(const char *name) {
                size_t low = 0, high = sizeof(table) / sizeof(table[0]);
                while (low < high) {
                    size_t middle = low + (high - low) / 2;
                    if (strcmp(table[middle].name, name) < 0) low = middle + 1;
                    else high = middle;
                }
                return low;
            }

            int32_t roost_proc_lookup(const char *name, int32_t version, uint64_t flags, void **pointer) {
                const size_t count = sizeof(table) / sizeof(table[0]);
                const struct roost_proc_entry *plain = NULL, *per_thread = NULL;
                size_t index = name ? first_entry(name) : count;
                if (pointer) *pointer = NULL;
                if (index == count || strcmp(table[index].name, name) != 0) return 1;
                for (; index < count && strcmp(table[index].name, name) == 0; index++) {
                    if (table[index].since > version) continue;
                    if (table[index].per_thread) per_thread = &table[index];
                    else plain = &table[index];
                }
                const struct roost_proc_entry *found = (flags & 2) && per_thread ? per_thread : plain;
                if (!found) return 2;
                if (pointer) *pointer = (void *)found->function;
                return 0;
            }

            """
        return text
    }
}
