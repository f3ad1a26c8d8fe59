import Foundation
import Glibc

/// How often and after how long the same is tried again.
package struct Retry: Sendable {
    /// In all.
    package var attempts: Int
    /// Seconds before the second attempt; doubled each time.
    package var first: Double
    /// What a registry may ask us to wait; more is an error.
    package var longest: Double

    package init(attempts: Int = 6, first: Double = 0.25, longest: Double = 120) {
        (self.attempts, self.first, self.longest) = (attempts, first, longest)
    }

    package static let statuses: Set<Int> = [408, 429, 500, 502, 503, 504]

    /// Waits before the attempt after the `attempt`th (from 1).
    ///
    /// - Returns: false when there is none, or when we are asked to wait too long.
    package func wait(_ attempt: Int, asked: Double? = nil) -> Bool {
        if attempt >= attempts || asked ?? 0 > longest { return false }
        // Some of it by chance: those who were refused at once shall not come back at once.
        let own = min(30, first * pow(2, Double(attempt - 1))) * Double.random(in: 0.75...1.25)
        usleep(useconds_t(max(own, asked ?? 0) * 1_000_000))
        return true
    }

    /// `Retry-After`: seconds, or a date. RFC 9110 section 10.2.3.
    package static func after(_ header: String?, now: Date = Date()) -> Double? {
        guard let header else { return nil }
        if let seconds = Double(header) { return max(0, seconds) }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        return format.date(from: header).map { max(0, $0.timeIntervalSince(now)) }
    }
}
