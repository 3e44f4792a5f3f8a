internal import Glibc

/// The functions that the software GPU supplies.
enum Builtins {
    static func run(
        _ builtin: Builtin, _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let launch = w.warp.pointee.block.takeUnretainedValue().launch
        // One of these calls may take as long as a million instructions.
        if launch.mustStop { return fail(w, i, .timeout, lane: w.warp.pointee.mask.trailingZeroBitCount) }
        switch builtin {
        case .vprintf: return print(w, i, site)
        case .assertFailure: return assertFailure(w, i, site)
        case .malloc: return allocate(w, i, site)
        case .free: return free(w, i, site)
        case .gridHandle: return gridHandle(w, i, site)
        case .gridSynchronize: return synchronizeGrid(w, i, site)
        case .graphSetConditional: return setConditional(w, i, site)
        }
    }

    /// An argument's value in one lane; 0 when the call has no such argument.
    private static func argument(_ w: WarpPointer, _ site: Function.CallSite, _ index: Int, lane: Int) -> UInt64 {
        guard index < site.arguments.count else { return 0 }
        let place = localPlace(w, site.arguments[index].offset, lane: lane)
        switch site.arguments[index].byteCount {
        case 8...: return place.loadUnaligned(as: UInt64.self)
        case 4...: return UInt64(place.loadUnaligned(as: UInt32.self))
        default: return 0
        }
    }

    private static func setResult(_ w: WarpPointer, _ site: Function.CallSite, _ value: UInt64, lane: Int) {
        guard let result = site.results.first else { return }
        let place = localPlace(w, result.offset, lane: lane)
        switch result.byteCount {
        case 8...: place.storeBytes(of: value, as: UInt64.self)
        case 4...: place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        default: break
        }
    }

    private static func localPlace(_ w: WarpPointer, _ offset: Int, lane: Int) -> UnsafeMutableRawPointer {
        let warp = w.warp
        let start = lane * Int(warp.pointee.localByteCount)
        return warp.pointee.local + (start + warp.pointee.frame.pointee.localOffset + offset)
    }

    // MARK: The grid

    /// `cudaCGGetIntrinsicHandle`: not 0 when the grid can synchronize.
    private static func gridHandle(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let isCooperative = w.warp.pointee.block.takeUnretainedValue().launch.launch.isCooperative
        _ = forEachLane(w.warp.pointee.mask) { lane in
            setResult(w, site, isCooperative ? Warp.Window.workspace << 32 : 0, lane: lane)
            return true
        }
        return i.next
    }

    /// `cudaCGSynchronize(handle, flags)`: all threads of the grid wait for each other; the result is cudaSuccess.
    private static func synchronizeGrid(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let warp = w.warp
        let mask = warp.pointee.mask
        let block = warp.pointee.block.takeUnretainedValue()
        guard block.launch.launch.isCooperative else {
            return fail(w, i, .launchFailed, lane: mask.trailingZeroBitCount)
        }
        _ = forEachLane(mask) { lane in
            setResult(w, site, 0, lane: lane)
            return true
        }
        let fragment = warp.pointee.fragments + warp.pointee.current
        fragment.pointee.pc = i
        fragment.pointee.state = .blockBarrier
        fragment.pointee.barrier = UInt8(Block.gridBarrier)
        warp.pointee.exit = .blocked
        block.arrive(Block.gridBarrier, threads: mask.nonzeroBitCount, expected: 0, trueCount: 0)
        return nil
    }

    /// `cudaGraphSetConditional(handle, value)`: the handle is the address of the value.
    private static func setConditional(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            let address = argument(w, site, 0, lane: lane)
            guard address & 3 == 0, let pointer = rangePointer(w, lane: lane, address, 4) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: address)
                return false
            }
            pointer.storeBytes(of: UInt32(truncatingIfNeeded: argument(w, site, 1, lane: lane)), as: UInt32.self)
            return true
        }
        return isFine ? i.next : nil
    }

    // MARK: printf

    private static func print(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let block = w.warp.pointee.block.takeUnretainedValue()
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            let address = argument(w, site, 0, lane: lane)
            guard let format = string(w, address, lane: lane) else {
                _ = fail(w, i, .illegalAddress, lane: lane, address: address)
                return false
            }
            var formatter = PrintFormatter(format: format, arguments: argument(w, site, 1, lane: lane))
            let text = formatter.format(
                load: { address, size in
                    guard let pointer = rangePointer(w, lane: lane, address, size) else { return 0 }
                    return size == 8
                        ? pointer.loadUnaligned(as: UInt64.self)
                        : UInt64(pointer.loadUnaligned(as: UInt32.self))
                },
                string: { string(w, $0, lane: lane) })
            text.withUnsafeBytes { block.launch.write($0) }
            setResult(w, site, UInt64(formatter.argumentCount), lane: lane)
            return true
        }
        return isFine ? i.next : nil
    }

    /// A string without its terminator; nil when it leaves live memory or is longer than 64 KiB.
    private static func string(_ w: WarpPointer, _ address: UInt64, lane: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var next = address
        while bytes.count < 65_536 {
            guard let pointer = rangePointer(w, lane: lane, next, 1) else { return nil }
            let byte = pointer.load(as: UInt8.self)
            if byte == 0 { return bytes }
            bytes.append(byte)
            next &+= 1
        }
        return nil
    }

    /// `__assertfail(message, file, line, function, charSize)`.
    private static func assertFailure(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let warp = w.warp
        let block = warp.pointee.block.takeUnretainedValue()
        let lane = warp.pointee.mask.trailingZeroBitCount
        func text(_ index: Int) -> String {
            String(decoding: string(w, argument(w, site, index, lane: lane), lane: lane) ?? [], as: UTF8.self)
        }
        let identity = block.identity.block
        let thread = warp.pointee.threads
        let line = UInt32(truncatingIfNeeded: argument(w, site, 2, lane: lane))
        let message =
            "\(text(1)):\(line): \(text(3)): block: [\(identity.0),\(identity.1),\(identity.2)], thread: "
            + "[\(thread[lane]),\(thread[lane + 32]),\(thread[lane + 64])] Assertion `\(text(0))` failed.\n"
        Array(message.utf8).withUnsafeBytes { block.launch.write($0) }
        return fail(w, i, .assert, lane: lane)
    }

    // MARK: The heap

    private static func allocate(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let heap = w.warp.pointee.block.takeUnretainedValue().launch.launch.kernel.heap
        _ = forEachLane(w.warp.pointee.mask) { lane in
            let size = argument(w, site, 0, lane: lane)
            setResult(w, site, heap?.allocate(size) ?? 0, lane: lane)
            return true
        }
        return i.next
    }

    private static func free(
        _ w: WarpPointer, _ i: InstructionPointer, _ site: Function.CallSite
    ) -> InstructionPointer? {
        let heap = w.warp.pointee.block.takeUnretainedValue().launch.launch.kernel.heap
        let isFine = forEachLane(w.warp.pointee.mask) { lane in
            let address = argument(w, site, 0, lane: lane)
            if address == 0 || heap?.free(address) == true { return true }
            _ = fail(w, i, .illegalAddress, lane: lane, address: address)
            return false
        }
        return isFine ? i.next : nil
    }
}

/// Formats as C's printf does, on arguments packed with natural alignment.
struct PrintFormatter {
    private let pattern: [UInt8]
    private var next: UInt64
    private(set) var argumentCount = 0

    /// Where a line is cut off, or strings of strings would take all memory of the worker.
    private static let outputByteCountMax = 64 << 10

    init(format: [UInt8], arguments: UInt64) {
        pattern = format
        next = arguments
    }

    private struct Conversion {
        var flags: [UInt8] = []
        var width: Int32?
        var precision: Int32?
        var longs = 0
        var kind: UInt8 = 0
    }

    mutating func format(
        load: (_ address: UInt64, _ size: UInt64) -> UInt64, string: (UInt64) -> [UInt8]?
    ) -> [UInt8] {
        var output: [UInt8] = []
        var index = 0
        while index < pattern.count, output.count < Self.outputByteCountMax {
            let byte = pattern[index]
            index += 1
            if byte != UInt8(ascii: "%") {
                output.append(byte)
                continue
            }
            if index < pattern.count, pattern[index] == UInt8(ascii: "%") {
                output.append(byte)
                index += 1
                continue
            }
            let start = index - 1
            guard let conversion = parse(&index, load) else {
                output += pattern[start..<min(index, pattern.count)]
                continue
            }
            output += render(conversion, load, string)
        }
        return output
    }

    private mutating func argument(_ size: UInt64, _ load: (UInt64, UInt64) -> UInt64) -> UInt64 {
        next = (next &+ size &- 1) & ~(size &- 1)
        defer { next &+= size }
        argumentCount += 1
        return load(next, size)
    }

    private mutating func parse(_ index: inout Int, _ load: (UInt64, UInt64) -> UInt64) -> Conversion? {
        var conversion = Conversion()
        func peek() -> UInt8 { index < pattern.count ? pattern[index] : 0 }
        while Array("-+ #0".utf8).contains(peek()) {
            if conversion.flags.count < 8 { conversion.flags.append(peek()) }
            index += 1
        }
        conversion.width = number(&index, load)
        if peek() == UInt8(ascii: ".") {
            index += 1
            conversion.precision = number(&index, load) ?? 0
        }
        while Array("lhjzt".utf8).contains(peek()) {
            if peek() == UInt8(ascii: "l") { conversion.longs += 1 }
            if Array("jzt".utf8).contains(peek()) { conversion.longs += 2 }
            index += 1
        }
        conversion.kind = peek()
        guard Array("diouxXcspaAeEfFgG".utf8).contains(conversion.kind) else { return nil }
        index += 1
        return conversion
    }

    /// Digits or `*`; capped so that no output gets huge.
    private mutating func number(_ index: inout Int, _ load: (UInt64, UInt64) -> UInt64) -> Int32? {
        if index < pattern.count, pattern[index] == UInt8(ascii: "*") {
            index += 1
            let value = Int32(truncatingIfNeeded: argument(4, load))
            return max(-1024, min(1024, value))
        }
        var value: Int32?
        while index < pattern.count, pattern[index] >= 48, pattern[index] <= 57 {
            value = min(1024, (value ?? 0) * 10 + Int32(pattern[index] - 48))
            index += 1
        }
        return value
    }

    private mutating func render(
        _ conversion: Conversion, _ load: (UInt64, UInt64) -> UInt64, _ string: (UInt64) -> [UInt8]?
    ) -> [UInt8] {
        switch conversion.kind {
        case UInt8(ascii: "s"):
            let text = string(argument(8, load)) ?? Array("(null)".utf8)
            let cut = conversion.precision.map { $0 >= 0 ? Array(text.prefix(Int($0))) : text } ?? text
            return padded(cut, conversion)
        case UInt8(ascii: "c"):
            return padded([UInt8(truncatingIfNeeded: argument(4, load))], conversion)
        case UInt8(ascii: "p"):
            return print(conversion, "ll", kind: "x", prefix: "#", CVarArgBox(argument(8, load)))
        case UInt8(ascii: "a"), UInt8(ascii: "A"), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "f"),
            UInt8(ascii: "F"), UInt8(ascii: "g"), UInt8(ascii: "G"):
            let value = Double(bitPattern: argument(8, load))
            let kind = String(UnicodeScalar(conversion.kind))
            return print(conversion, "", kind: kind, prefix: "", CVarArgBox(value))
        default:
            let kind = String(UnicodeScalar(conversion.kind))
            let bits = argument(conversion.longs > 0 ? 8 : 4, load)
            let isSigned = kind == "d" || kind == "i"
            let value =
                conversion.longs > 0 || !isSigned
                ? bits : UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: bits)))
            return print(conversion, "ll", kind: kind, prefix: "", CVarArgBox(value))
        }
    }

    private func padded(_ text: [UInt8], _ conversion: Conversion) -> [UInt8] {
        let width = Int(conversion.width ?? 0)
        let missing = abs(width) - text.count
        if missing <= 0 { return text }
        let spaces = [UInt8](repeating: 32, count: missing)
        let isLeft = width < 0 || conversion.flags.contains(UInt8(ascii: "-"))
        return isLeft ? text + spaces : spaces + text
    }

    /// One value for vsnprintf.
    private enum CVarArgBox {
        case integer(UInt64)
        case double(Double)
        init(_ value: UInt64) { self = .integer(value) }
        init(_ value: Double) { self = .double(value) }
    }

    private func print(
        _ conversion: Conversion, _ length: String, kind: String, prefix: String, _ value: CVarArgBox
    ) -> [UInt8] {
        var directive = "%" + prefix + String(decoding: conversion.flags, as: UTF8.self)
        if let width = conversion.width { directive += String(width) }
        if let precision = conversion.precision, precision >= 0 { directive += "." + String(precision) }
        directive += length + kind
        var buffer = [UInt8](repeating: 0, count: 4096)
        let arguments: [any CVarArg]
        switch value {
        case .integer(let bits): arguments = [bits]
        case .double(let number): arguments = [number]
        }
        let count = buffer.withUnsafeMutableBytes { bytes -> Int32 in
            withVaList(arguments) { list in
                vsnprintf(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, directive, list)
            }
        }
        return Array(buffer.prefix(max(0, min(Int(count), 4095))))
    }
}
