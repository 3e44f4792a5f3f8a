public import CCUDA
internal import CPosix
internal import ClientRuntime

/// Text that grows, without the strings of the full runtime.
private struct DotText {
    var bytes: [UInt8] = []

    mutating func add(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func add(_ number: UInt64) {
        var digits: [UInt8] = []
        var rest = number
        repeat {
            digits.append(48 &+ UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes.append(contentsOf: digits.reversed())
    }

    mutating func add(_ name: UnsafePointer<CChar>, count: Int) {
        for index in 0..<count {
            let letter = UInt8(bitPattern: name[index])
            bytes.append(letter == 34 || letter < 32 ? 63 : letter)
        }
    }

    mutating func add(_ graph: Graph, cluster: Bool) {
        add(cluster ? "subgraph cluster_" : "digraph graph_")
        add(UInt64(graph.serial))
        add(" {\n")
        for node in graph.nodes { add(node) }
        for node in graph.nodes {
            for edge in node.dependencies {
                add("node_")
                add(edge.from.serial)
                add(" -> node_")
                add(node.serial)
                add(";\n")
            }
        }
        add("}\n")
    }

    private mutating func add(_ node: GraphNode) {
        add("node_")
        add(node.serial)
        add(" [shape=record, label=\"")
        add(node.serial)
        add(" ")
        add(node.work.word)
        if case .kernel(let work) = node.work {
            add(" ")
            add(work.function.pointee.name, count: work.function.pointee.nameByteCount)
        }
        add("\"];\n")
        switch node.work {
        case .child(let child): add(child, cluster: true)
        case .conditional(let work): for body in work.bodies { add(body, cluster: true) }
        default: break
        }
    }
}

extension GraphWork {
    fileprivate var word: StaticString {
        switch self {
        case .kernel: "KERNEL"
        case .copy: "MEMCPY"
        case .fill: "MEMSET"
        case .host: "HOST"
        case .child: "GRAPH"
        case .empty: "EMPTY"
        case .eventRecord: "EVENT_RECORD"
        case .eventWait: "WAIT_EVENT"
        case .memoryOperations: "BATCH_MEM_OP"
        case .allocation: "MEM_ALLOC"
        case .release: "MEM_FREE"
        case .conditional: "CONDITIONAL"
        case .command: "COMMAND"
        }
    }
}

extension CUDADriver {
    /// The corresponding C function is `cuGraphDebugDotPrint`. The flags ask for more than this version prints.
    public static func graphDebugDotPrint(
        _ handle: CUgraph?, _ path: UnsafePointer<CChar>?, _ flags: UInt32
    ) -> CUresult {
        guard let path else { return CUDA_ERROR_INVALID_VALUE }
        var text = DotText()
        let status = withGraph(handle) { graph in
            text.add(graph, cluster: false)
            return CUDA_SUCCESS
        }
        guard status == CUDA_SUCCESS else { return status }
        let file = posix_open(path, Int32(POSIX_OPEN_CREATE), 0o644)
        guard file >= 0 else { return CUDA_ERROR_OPERATING_SYSTEM }
        defer { _ = posix_close(file) }
        let isWritten = text.bytes.withUnsafeBytes { buffer in
            guard let start = buffer.baseAddress else { return false }
            return posix_write_all(file, start, buffer.count) == 0
        }
        return isWritten ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM
    }
}
