import SIMT
import Testing

@Suite("Loads, stores and faults")
struct MemoryTests {
    @Test("Loads extend to the register and stores cut", arguments: ["u8", "s8", "u16", "s16", "u32", "s32"])
    func widths(type: String) throws {
        let machine = try Machine()
        let size = type.hasSuffix("8") ? 1 : type.hasSuffix("16") ? 2 : 4
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, \(size); add.s64 %d1, %p1, %d0;
            ld.global.\(type) %d2, [%d1]; ld.global.\(type) %r1, [%d1];
            mul.wide.u32 %d3, %r0, 16; add.s64 %d3, %p0, %d3;
            st.global.u64 [%d3], %d2; st.global.u32 [%d3+8], %r1; st.global.\(type) [%d3+12], %r1;
            """)
        let values = Samples.integers(12, count: 64)
        let input = try machine.upload(
            values.flatMap { value in
                withUnsafeBytes(of: value) { Array($0.prefix(size)) }
            })
        let output = try machine.upload([UInt64](repeating: 0, count: 128))
        let result = try machine.run(machine.program(text), "k", block: Extent(64), .u64(output), .u64(input))
        #expect(result.fault == .none, "\(result.message)")
        let rows = try machine.download(output, UInt64.self, count: 128)
        for (row, value) in values.enumerated() {
            let shift = UInt64(64 - size * 8)
            let isSigned = type.hasPrefix("s")
            let cut = value << shift
            let expected = isSigned ? UInt64(bitPattern: cut.s64 >> Int64(shift)) : cut >> shift
            #expect(rows[row * 2] == expected)
            #expect(rows[row * 2 + 1].u32 == expected.u32)
            #expect(rows[row * 2 + 1] >> 32 == cut >> shift)
        }
    }

    @Test("Vector accesses move all elements, also into the address register")
    func vectors() throws {
        let machine = try Machine()
        let text = kernelText(
            2,
            """
            mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, 16; add.s64 %d1, %p1, %d0; add.s64 %d2, %p0, %d0;
            ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];
            st.global.v4.u32 [%d2], {%r4, %r3, %r2, %r1};
            ld.global.v2.u64 {%d1, %d3}, [%d2];
            st.global.v2.u64 [%d2], {%d3, %d1};
            ld.global.v4.u8 {%h1, _, %h3, %h4}, [%d2];
            add.u16 %h1, %h1, 1;
            st.global.u8 [%d2], %h1;
            """)
        let values = (0..<128).map { UInt32($0) * 0x0101_0101 }
        let input = try machine.upload(values)
        let output = try machine.upload([UInt32](repeating: 0, count: 128))
        let result = try machine.run(machine.program(text), "k", .u64(output), .u64(input))
        #expect(result.fault == .none, "\(result.message)")
        let rows = try machine.download(output, UInt32.self, count: 128)
        for row in 0..<32 {
            let expected = [1, 0, 3, 2].map { values[row * 4 + $0] }
            let first = (expected[0] & ~0xff) | ((expected[0] & 0xff) &+ 1) & 0xff
            #expect(Array(rows[(row * 4)..<(row * 4 + 4)]) == [first] + expected[1...])
        }
    }

    private let storeText = kernelText(
        2,
        """
        mov.u32 %r0, %tid.x; cvt.u32.u64 %r1, %p1; mul.lo.u32 %r2, %r0, %r1; cvt.u64.u32 %d0, %r2;
        add.s64 %d1, %p0, %d0; mov.u32 %r3, 7; st.global.u32 [%d1], %r3; ld.global.u32 %r4, [%d1];
        """)

    @Test("An access outside of live memory is an illegal address and names its place")
    func outside() throws {
        let machine = try Machine()
        let output = try machine.allocate(512)
        let program = try machine.program(storeText)
        let block = Extent(32)
        #expect(try machine.run(program, "k", block: block, .u64(output), .u64(4)).fault == .none)
        // Lane 8 is the first beyond the granule.
        let strided = try machine.run(program, "k", block: block, .u64(output), .u64(64))
        #expect(strided.fault == .illegalAddress)
        #expect(strided.message.contains("kernel k"))
        #expect(strided.message.contains("thread (8,0,0)"))
        #expect(strided.message.contains("st.global.u32"))
        #expect(strided.message.contains("0x" + String(output + 512, radix: 16)))
        // The last lane's place of a contiguous store is dead.
        let straddling = try machine.run(program, "k", block: block, .u64(output + 512 - 64), .u64(4))
        #expect(straddling.fault == .illegalAddress)
        for address in [0, 1 << 20, 0x5fff_ffff_fffc, machine.memory.baseAddress + machine.memory.byteCount, ~3] {
            #expect(try machine.run(program, "k", block: block, .u64(address), .u64(4)).fault == .illegalAddress)
        }
    }

    @Test("A freed allocation is dead at once")
    func useAfterFree() throws {
        let machine = try Machine()
        let output = try machine.allocate(4096)
        let program = try machine.program(storeText)
        #expect(try machine.run(program, "k", .u64(output), .u64(4)).fault == .none)
        try machine.memory.free(address: output)
        #expect(try machine.run(program, "k", .u64(output), .u64(4)).fault == .illegalAddress)
    }

    @Test("A misaligned access is told from an illegal one")
    func misaligned() throws {
        let machine = try Machine()
        let output = try machine.allocate(4096)
        let program = try machine.program(storeText)
        let result = try machine.run(program, "k", .u64(output + 2), .u64(4))
        #expect(result.fault == .misalignedAddress)
        #expect(try machine.run(program, "k", .u64(output), .u64(6)).fault == .misalignedAddress)
        #expect(try machine.run(program, "k", block: Extent(1), .u64(output), .u64(6)).fault == .none)
    }

    @Test("Shared memory is checked against its size")
    func sharedBounds() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            mov.u32 %r0, %tid.x; cvt.u32.u64 %r1, %p0; mov.u32 %r2, buffer; mad.lo.u32 %r3, %r0, 4, %r2;
            add.u32 %r3, %r3, %r1; st.shared.u32 [%r3], %r0;
            """, declarations: ".extern .shared .align 16 .b8 buffer[];")
        let program = try machine.program(text)
        #expect(try machine.run(program, "k", shared: 128, .u64(0)).fault == .none)
        #expect(try machine.run(program, "k", shared: 128, .u64(4)).fault == .illegalAddress)
        #expect(try machine.run(program, "k", shared: 128, .u64(1)).fault == .misalignedAddress)
        #expect(try machine.run(program, "k", shared: 124, .u64(0)).fault == .illegalAddress)
    }

    @Test("Generic addresses reach global, shared and local memory, and tell which")
    func generic() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            .shared .align 4 .u32 cell[32];
            .local .align 8 .u32 own[4];
            mov.u32 %r0, %tid.x; mul.wide.u32 %d0, %r0, 4;
            mov.u64 %d1, cell; cvta.shared.u64 %d2, %d1; add.s64 %d2, %d2, %d0;
            st.u32 [%d2], %r0; ld.shared.u32 %r1, [cell+4];
            mov.u64 %d3, own; cvta.local.u64 %d4, %d3; add.u32 %r2, %r0, 100; st.u32 [%d4+8], %r2;
            ld.local.u32 %r3, [own+8];
            isspacep.shared %q0, %d2; isspacep.local %q1, %d4; isspacep.global %q2, %p0; isspacep.global %q3, %d2;
            selp.u32 %r4, 1, 0, %q0; selp.u32 %r5, 2, 0, %q1; selp.u32 %r6, 4, 0, %q2; selp.u32 %r7, 8, 0, %q3;
            add.u32 %r4, %r4, %r5; add.u32 %r4, %r4, %r6; add.u32 %r4, %r4, %r7;
            ld.u32 %r8, [%d2]; add.u32 %r3, %r3, %r8; shl.b32 %r4, %r4, 16; add.u32 %r3, %r3, %r4;
            cvta.to.shared.u64 %d5, %d2; ld.shared.u32 %r9, [%d5]; sub.u32 %r9, %r9, %r8; add.u32 %r3, %r3, %r9;
            add.s64 %d6, %p0, %d0; st.u32 [%d6], %r3;
            """)
        let output = try machine.allocate(128)
        let result = try machine.run(machine.program(text), "k", .u64(output))
        #expect(result.fault == .none, "\(result.message)")
        let rows = try machine.download(output, UInt32.self, count: 32)
        #expect(rows == (0..<32).map { 7 << 16 + 100 + $0 * 2 })
    }

    @Test("Module variables have their values, also addresses of others")
    func variables() throws {
        let machine = try Machine()
        let text = kernelText(
            1,
            """
            ld.global.u64 %d0, [pointer]; ld.global.u32 %r0, [%d0]; ld.const.u32 %r1, [table+8];
            ld.const.u8 %r2, [bytes+1]; add.u32 %r0, %r0, %r1; add.u32 %r0, %r0, %r2; st.global.u32 [%p0], %r0;
            """,
            declarations: """
                .global .align 4 .u32 values[4] = {1, 20, 300, 4000};
                .global .align 8 .u64 pointer = generic(values)+8;
                .const .align 4 .u32 table[3] = {0, 0, 50000};
                .const .align 1 .b8 bytes[2] = {0, 7};
                .visible .global .align 4 .u32 exported = 9;
                """)
        let program = try machine.program(text)
        let output = try machine.allocate(4)
        #expect(try machine.run(program, "k", block: Extent(1), .u64(output)).fault == .none)
        #expect(try machine.download(output, UInt32.self, count: 1) == [50307])
        let exported = try #require(program.global(named: "exported"))
        #expect(exported.byteCount == 4)
        #expect(try machine.download(exported.address, UInt32.self, count: 1) == [9])
    }

    @Test("Device memory overlaps are refused, and memory comes back as zero")
    func allocations() throws {
        let memory = try DeviceMemory(byteCount: 1 << 30)
        let base = memory.baseAddress
        try memory.allocate(address: base + 512, byteCount: 700)
        #expect(throws: DeviceMemoryError.overlap) { try memory.allocate(address: base + 1024, byteCount: 1) }
        #expect(throws: DeviceMemoryError.overlap) { try memory.allocate(address: base, byteCount: 513) }
        #expect(throws: DeviceMemoryError.invalidRange) { try memory.allocate(address: base + 4, byteCount: 4) }
        #expect(throws: DeviceMemoryError.invalidRange) { try memory.allocate(address: base, byteCount: 1 << 31) }
        #expect(throws: DeviceMemoryError.notAllocated) { try memory.free(address: base) }
        let pointer = try #require(memory.hostPointer(address: base + 512, byteCount: 1024))
        pointer.initializeMemory(as: UInt8.self, repeating: 0xff, count: 1024)
        #expect(memory.hostPointer(address: base + 512, byteCount: 1025) == nil)
        #expect(memory.allocation(containing: base + 1100)?.byteCount == 700)
        #expect(memory.allocation(containing: base) == nil)
        #expect(try memory.free(address: base + 512) == 700)
        #expect(memory.hostPointer(address: base + 512, byteCount: 1) == nil)
        try memory.allocate(address: base, byteCount: 1 << 20)
        let again = try #require(memory.hostPointer(address: base, byteCount: 1 << 20))
        #expect((0..<4096).allSatisfy { again.load(fromByteOffset: $0, as: UInt8.self) == 0 })
        #expect(memory.hostPointer(address: ~0, byteCount: 16) == nil)
        #expect(memory.hostPointer(address: base, byteCount: ~0) == nil)
    }
}
