import ClientRuntime
import Testing

@Suite struct VisibleDevicesTests {
    private let devices = [
        VisibleDevices.Candidate(uuidHigh: 0xABCD_0001_1111_4111, uuidLow: 0x8111_0000_0000_0001, speed: 1),
        VisibleDevices.Candidate(uuidHigh: 0xABCD_0002_2222_4222, uuidLow: 0x8222_0000_0000_0002, speed: 3),
        VisibleDevices.Candidate(uuidHigh: 0xFFFF_0003_3333_4333, uuidLow: 0x8333_0000_0000_0003, speed: 2),
    ]

    private func choose(_ list: String, isFastestFirst: Bool = false) -> [Int] {
        Array(list.utf8).withUnsafeBytes {
            VisibleDevices(devices, isFastestFirst: isFastestFirst).chosen(by: $0)
        }
    }

    @Test(
        "numbers choose and order devices; the first wrong entry ends the list, a repeated one hides all",
        arguments: [
            ("0", [0]), ("2,0", [2, 0]), (" 1 , 2 ", [1, 2]), ("0,1,2", [0, 1, 2]), ("", []), ("-1", []),
            ("0,-1,1", [0]), ("1,7,2", [1]), ("0,,1", [0]), ("0,x,1", [0]), ("1a,2", [1, 2]), ("0,0", []),
            ("1,2,1", []), ("99999999999999999999", []), ("none", []), ("0,GPU-abcd0002", [0]), ("NoDevFiles", []),
        ] as [(String, [Int])])
    func numbers(list: String, expected: [Int]) { #expect(choose(list) == expected) }

    @Test(
        "a UUID may be cut while it names one device",
        arguments: [
            ("GPU-abcd0001-1111-4111-8111-000000000001", [0]), ("GPU-abcd0002", [1]), ("GPU-F", [2]),
            ("GPU-ffff0003-3333,GPU-abcd0001", [2, 0]), ("GPU-abcd", []), ("GPU-", []),
            ("GPU-f,GPU-abcd,GPU-abcd0001", [2]), ("GPU-f,GPU-ffff", []), ("GPU-f,0", [2]), ("GPU-ffff00033", []),
            ("GPU-abcd0001-1111-4111-8111-0000000000012", []),
            ("MIG-abcd0001", []), ("gpu-f", []),
        ] as [(String, [Int])])
    func uuids(list: String, expected: [Int]) { #expect(choose(list) == expected) }

    @Test("only FASTEST_FIRST moves a device, and only the fastest one")
    func order() {
        #expect(VisibleDevices(devices).all == [0, 1, 2])
        #expect(VisibleDevices(devices, isFastestFirst: true).all == [1, 0, 2])
        #expect(choose("0,2", isFastestFirst: true) == [1, 2])
        #expect(VisibleDevices([], isFastestFirst: true).all == [])
    }
}
