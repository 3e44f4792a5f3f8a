import ClientRuntime
import Testing

/// Which pages a touch takes along.
@Suite("Read-ahead of managed memory")
struct ReadAheadTests {
    private let all = 0..<65_536

    @Test("A touch takes the aligned group around it")
    func takesGroup() {
        var readAhead = ReadAhead()
        #expect(readAhead.extent(at: 5003, within: all) == 4992..<5008)
        #expect(readAhead.extent(at: 20_000, within: 19_999..<20_003) == 20_000..<20_003)
    }

    @Test("Touches in order take twice as much each time, up to four mebibytes")
    func growsForward() {
        var readAhead = ReadAhead()
        var page = 0
        var counts: [Int] = []
        while page < all.upperBound {
            let pages = readAhead.extent(at: page, within: page..<all.upperBound)
            #expect(pages.lowerBound == page)
            counts.append(pages.count)
            page = pages.upperBound
        }
        #expect(counts.prefix(8) == [16, 32, 64, 128, 256, 512, 1024, 1024])
        #expect(counts.count < 80)
    }

    @Test("Touches in backward order grow too")
    func growsBackward() {
        var readAhead = ReadAhead()
        #expect(readAhead.extent(at: 1007, within: all) == 992..<1008)
        #expect(readAhead.extent(at: 991, within: all) == 960..<992)
        #expect(readAhead.extent(at: 959, within: all) == 896..<960)
    }

    @Test("Four threads that read in order do not disturb each other")
    func keepsTrails() {
        var readAhead = ReadAhead()
        var ends = [0, 10_000, 20_000, 30_000]
        for turn in 0..<5 {
            for thread in 0..<4 {
                let pages = readAhead.extent(at: ends[thread], within: all)
                #expect(pages.count == 16 << turn)
                ends[thread] = pages.upperBound
            }
        }
    }

    @Test("What is far away begins anew")
    func forgets() {
        var readAhead = ReadAhead()
        _ = readAhead.extent(at: 0, within: all)
        _ = readAhead.extent(at: 16, within: all)
        #expect(readAhead.extent(at: 40_000, within: all).count == ReadAhead.pageCountMin)
        for far in [1, 2, 3, 4] { _ = readAhead.extent(at: far * 5000, within: all) }
        #expect(readAhead.extent(at: 48, within: all).count == ReadAhead.pageCountMin)
    }
}
