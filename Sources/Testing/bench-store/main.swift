import Glibc

// Measures the store's engines: `bench-store FOLDER [ETCD-URL] [JSON-FILE]`. Prints `name value unit`.

let arguments = Array(CommandLine.arguments.dropFirst())
guard let folder = arguments.first else {
    print("usage: bench-store FOLDER [ETCD-URL] [JSON-FILE]")
    exit(64)
}
do {
    let url = arguments.count > 1 && !arguments[1].isEmpty ? arguments[1] : nil
    try await StoreBench.run(folder: folder, etcd: url, json: arguments.count > 2 ? arguments[2] : nil)
} catch {
    print("bench-store: \(error)")
    exit(1)
}
