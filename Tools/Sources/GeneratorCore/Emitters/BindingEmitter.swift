import APIModel

/// Writes what calls a library that is opened at run time: a table of typed function pointers, and throwing calls.
struct BindingEmitter {
    let library: LibraryDescription
    private let resolver: TypeResolver

    init(library: LibraryDescription) {
        self.library = library
        resolver = TypeResolver(library.types)
    }

    var files: [GeneratedFile] {
        let folder = "Sources/Protocol/CCUDAFunctions"
        return [
            GeneratedFile(path: "\(folder)/include/CCUDAFunctions.h", text: header),
            GeneratedFile(path: "\(folder)/CCUDAFunctions.c", text: source),
        ] + library.families.compactMap(calls)
    }

    /// Forms for the per-thread default stream are left out: a stream's handle says the same.
    private var functions: [FunctionDescription] { library.functions.filter { !$0.isPerThread } }

    private var header: String {
        var text = Banner.c(library.source)
        text += "#ifndef ROOST_CCUDAFUNCTIONS_H\n#define ROOST_CCUDAFUNCTIONS_H\n\n#include <CCUDA.h>\n\n"
        text += "/// The entry points of an opened library; null where it lacks one.\nstruct CUDAFunctions {\n"
        for function in functions {
            let returns = CDeclaration.declarator(function.returns ?? library.resultType, "(*\(function.name))")
            text += "    \(returns)(\(CDeclaration.parameters(function)));\n"
        }
        return text + """
            };

            /// Opens a library for this process's own use. The handle, or null with the linker's words in `message`.
            void *roost_cuda_open(const char *path, char *message, size_t message_byte_count);
            /// Finds the entry points by their exact names, or through `cuGetProcAddress_v2`. The number found.
            size_t roost_cuda_bind(void *library, struct CUDAFunctions *functions);
            void roost_cuda_close(void *library);

            #endif

            """
    }

    private var source: String {
        var text = Banner.c(library.source)
        text += "#include \"CCUDAFunctions.h\"\n\n#include <dlfcn.h>\n#include <stdio.h>\n#include <string.h>\n\n"
        text += """
            struct entry {
                const char *symbol;
                const char *name;
                int since;
                size_t offset;
            };

            #define ENTRY(symbol, name, since) {#symbol, name, since, offsetof(struct CUDAFunctions, symbol)}

            static const struct entry entries[] = {

            """
        for function in functions {
            text += "    ENTRY(\(function.name), \"\(function.nameParts.root)\", \(function.since)),\n"
        }
        text += "};\n\n"
        return text + """
            void *roost_cuda_open(const char *path, char *message, size_t message_byte_count) {
                void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                if (!library) {
                    const char *text = dlerror();
                    snprintf(message, message_byte_count, "%s", text ? text : "unknown error");
                }
                return library;
            }

            // The exact name first: it says which variant it is, whatever a library answers for a version.
            size_t roost_cuda_bind(void *library, struct CUDAFunctions *functions) {
                typedef CUresult (*lookup)(const char *, void **, int, uint64_t, CUdriverProcAddressQueryResult *);
                lookup find = (lookup)dlsym(library, "cuGetProcAddress_v2");
                size_t found = 0;
                for (size_t index = 0; index < sizeof(entries) / sizeof(entries[0]); index++) {
                    const struct entry *entry = &entries[index];
                    void *pointer = dlsym(library, entry->symbol);
                    CUdriverProcAddressQueryResult result;
                    if (!pointer && find && find(entry->name, &pointer, entry->since, 0, &result) != CUDA_SUCCESS)
                        pointer = NULL;
                    memcpy((char *)functions + entry->offset, &pointer, sizeof(pointer));
                    found += pointer != NULL;
                }
                return found;
            }

            void roost_cuda_close(void *library) { dlclose(library); }

            """
    }

    /// The throwing calls of a family.
    private func calls(_ family: String) -> GeneratedFile? {
        let functions = functions.filter { $0.family == family && $0.returns == nil }
        guard !functions.isEmpty else { return nil }
        let text =
            Banner.swift(library.source)
            + "public import CCUDA\nimport CCUDAFunctions\n\nextension CUDALibrary {"
            + functions.map(call).joined(separator: "\n") + "}\n"
        return GeneratedFile(
            path: "Sources/Protocol/CUDABinding/Generated/\(family.capitalizedFirst)Functions.swift", text: text)
    }

    private func call(_ function: FunctionDescription) -> String {
        let parameters = function.parameters.map { parameter in
            "_ \(parameter.name.swiftIdentifier): \(resolver.swift(parameter.type, optional: "?"))"
        }
        let arguments = function.parameters.map(\.name.swiftIdentifier)
        let indent = "    "
        let name = function.name
        return "\n"
            + Wrapping.list(
                "public func \(function.name)(", parameters, ") throws(CUDAFailure) {", indent: indent)
            + "        guard let call = self.functions.\(name) else { throw CUDAFailure(\"\(name)\") }\n"
            + Wrapping.list(
                "try check(call(", arguments, "), \"\(function.name)\")", indent: indent + indent)
            + "    }\n"
    }
}
