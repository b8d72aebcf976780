// ARPA text (the format of SRILM's ngram-format(5), KenLM, IRSTLM and others) into an NGram.
#include <cmath>
#include <stdexcept>

#include "ngram.hpp"

namespace asrbias {

namespace {
bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// The whole of `text` as a decimal number.
bool parse(std::string_view text, float* value) {
    size_t at = 0;
    const auto digit = [&] { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    const auto sign = [&] {
        const bool minus = at < text.size() && text[at] == '-';
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
        return minus;
    };
    const bool negative = sign();
    double mantissa = 0;
    int scale = 0, digits = 0;
    for (; digit(); ++at, ++digits) mantissa = mantissa * 10 + (text[at] - '0');
    if (at < text.size() && text[at] == '.')
        for (++at; digit(); ++at, ++digits, --scale) mantissa = mantissa * 10 + (text[at] - '0');
    if (digits == 0) return false;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        const bool down = sign();
        int exponent = 0, seen = 0;
        for (; digit(); ++at, ++seen) exponent = std::min(exponent * 10 + (text[at] - '0'), 9999);
        if (seen == 0) return false;
        scale += down ? -exponent : exponent;
    }
    static constexpr double POWERS[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    if (scale < 0 && scale >= -12)
        mantissa /= POWERS[-scale];
    else if (scale != 0)
        mantissa *= std::pow(10.0, scale);
    *value = static_cast<float>(negative ? -mantissa : mantissa);
    return at == text.size();
}

class ARPA {
  public:
    explicit ARPA(std::string_view text) : text_(text) {}

    NGram read() {
        read_counts();
        NGramBuilder builder = make_builder();
        for (size_t order = 1; order <= counts_.size(); ++order) read_section(builder, static_cast<int>(order));
        if (line_ != "\\end\\")
            fail("\\end\\ must stand here, after " + std::to_string(counts_.size()) + " orders of n-grams");
        while (next()) fail("nothing may follow \\end\\");
        try {
            return builder.finish();
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument(std::string("it ") + error.what());
        }
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        std::string shown(line_.substr(0, 60));
        for (char& c : shown)
            if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
        throw std::invalid_argument("line " + std::to_string(number_) + " (\"" + shown + "\"): " + what);
    }

    // The next line that is not empty, without white space around it; false at the end.
    bool next() {
        while (at_ < text_.size()) {
            const size_t end = std::min(text_.find('\n', at_), text_.size());
            line_ = text_.substr(at_, end - at_);
            at_ = end + 1;
            ++number_;
            while (!line_.empty() && blank(line_.back())) line_.remove_suffix(1);
            while (!line_.empty() && blank(line_.front())) line_.remove_prefix(1);
            if (!line_.empty()) return true;
        }
        line_ = {};
        return false;
    }
    void need(const std::string& what) {
        if (!next())
            throw std::invalid_argument("it is cut short: it ends after line " + std::to_string(number_) + " where " +
                                        what + " must follow");
    }

    void read_counts() {
        do {
            if (!next())
                throw std::invalid_argument(text_.empty() ? "it is empty"
                                                          : "it has no line \\data\\, so it is no ARPA text");
        } while (line_ != "\\data\\");
        for (need("a count"); line_.front() != '\\'; need("\\1-grams:")) {
            const std::string head = "ngram " + std::to_string(counts_.size() + 1) + "=";
            uint64_t count = 0;
            bool good =
                line_.size() > head.size() && line_.size() < head.size() + 19 && line_.substr(0, head.size()) == head;
            for (size_t i = head.size(); good && i < line_.size(); ++i) {
                good = line_[i] >= '0' && line_[i] <= '9';
                count = count * 10 + static_cast<uint64_t>(line_[i] - '0');
            }
            if (!good) fail("a line \"" + head + "COUNT\" or \\1-grams: must stand here");
            // "0 a b" and the line's end is the shortest 2-gram: what cannot be there needs no memory.
            if (count > text_.size() / (2 * counts_.size() + 4))
                fail("so many n-grams do not fit in " + std::to_string(text_.size()) + " bytes");
            counts_.push_back(count);
        }
    }

    NGramBuilder make_builder() const {
        try {
            return NGramBuilder(counts_);
        } catch (const std::invalid_argument& error) {
            throw std::invalid_argument(std::string("it ") + error.what());
        }
    }

    void read_section(NGramBuilder& builder, int order) {
        const std::string head = "\\" + std::to_string(order) + "-grams:";
        if (line_ != head) fail(head + " must stand here");
        uint64_t read = 0;
        for (need("\\end\\"); line_.front() != '\\'; need("\\end\\"), ++read) {
            try {
                read_ngram(builder, order);
            } catch (const std::invalid_argument& error) {
                fail("the " + std::to_string(order) + "-gram " + error.what());
            }
        }
        if (read != counts_[order - 1])
            fail(std::to_string(read) + " " + std::to_string(order) +
                 "-grams stand before this line, but the head of the file counts " +
                 std::to_string(counts_[order - 1]));
    }

    void read_ngram(NGramBuilder& builder, int order) {
        std::string_view fields[NGram::MAX_ORDER + 2];
        int found = 0;
        for (size_t i = 0; i < line_.size();) {
            size_t end = i;
            while (end < line_.size() && !blank(line_[end])) ++end;
            if (found == order + 2) throw std::invalid_argument("has too many fields");
            fields[found++] = line_.substr(i, end - i);
            while (end < line_.size() && blank(line_[end])) ++end;
            i = end;
        }
        if (found < order + 1)
            throw std::invalid_argument(
                "has too few fields: a probability, the words, and a back-off weight or none are needed");
        float probability = 0, back_off = 0;
        if (!parse(fields[0], &probability)) throw std::invalid_argument("does not begin with a number");
        if (found == order + 2 && !parse(fields[order + 1], &back_off))
            throw std::invalid_argument("does not end with a number as its back-off weight");
        if (order == 1) return builder.add_word(fields[1], probability, back_off);
        int32_t ids[NGram::MAX_ORDER];
        for (int i = 0; i < order; ++i)
            if ((ids[i] = builder.find(fields[i + 1])) < 0)
                throw std::invalid_argument("has a word that is not among the 1-grams");
        builder.add(ids, order, probability, back_off);
    }

    std::string_view text_, line_;
    size_t at_ = 0;
    uint64_t number_ = 0;  // of line_, from 1
    std::vector<uint64_t> counts_;
};
}  // namespace

NGram read_arpa(std::string_view text) { return ARPA(text).read(); }

}  // namespace asrbias
